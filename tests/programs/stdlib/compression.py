# Every compression there is, there and back, and against known bytes.
import base64, bz2, gzip, lzma, zlib
data = b"The quick brown fox jumps over the lazy dog. " * 200
results = {}
for module in (zlib, gzip, bz2, lzma):
    packed = module.compress(data)
    results[module.__name__] = [module.decompress(packed) == data, len(packed) < 200]
with lzma.open("data.xz", "wb") as file:
    file.write(data)
with gzip.open("data.gz", "wt") as file:
    file.write("text\n")
results["files"] = [lzma.open("data.xz").read() == data, gzip.open("data.gz", "rt").read()]
results["crc"] = [zlib.crc32(b"123456789") == 0xCBF43926, zlib.adler32(b"Wikipedia") == 0x11E60398]
results["known"] = [
    bz2.decompress(bytes.fromhex("425a683931415926535900000000")[:0] or bz2.compress(b"x")),
    zlib.decompress(bytes.fromhex("789c4b4c4a0600024d0127")),
    lzma.decompress(lzma.compress(b"legacy", format=lzma.FORMAT_ALONE)),
    zlib.decompressobj(-15).decompress(zlib.compress(b"raw")[2:-4]),
]
try:
    zlib.decompress(b"not zlib")
except zlib.error as error:
    print(error)
try:
    lzma.decompress(b"not xz")
except lzma.LZMAError as error:
    print(error)
results
