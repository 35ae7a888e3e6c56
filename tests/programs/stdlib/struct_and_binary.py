import array, base64, binascii, io, struct, uuid
buffer = bytearray(8)
struct.pack_into("<hI", buffer, 0, -2, 7)
view = memoryview(bytearray(range(10)))[2:8:2]
view[0] = 99
[buffer.hex(" "), struct.unpack(">d", struct.pack(">d", 0.1)), struct.calcsize("P"), view.tolist(), array.array("i", [1, -1]).tobytes().hex(), base64.b85encode(b"hello"), binascii.crc_hqx(b"123", 0), (300).to_bytes(2), int.from_bytes(b"\xff\xfe", signed=True), io.BytesIO(b"ab\ncd").readlines(), str(uuid.uuid5(uuid.NAMESPACE_DNS, "example.org"))]
