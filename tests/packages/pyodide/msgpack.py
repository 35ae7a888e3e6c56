# requirement: msgpack
# imports: msgpack, msgpack._cmsgpack
import msgpack
import msgpack._cmsgpack

value = {"a": [1, -2, 2.5, None, True, b"x" * 300, 2**40], "ä": {"n": []}}
assert msgpack.unpackb(msgpack.packb(value)) == value and msgpack.Packer is msgpack._cmsgpack.Packer
try:
    msgpack.unpackb(b"\xc1")
except msgpack.FormatError:
    pass
