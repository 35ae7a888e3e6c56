# limits: memory=64m
# A bomb of zeros.
import zlib
packed = zlib.compress(bytes(20 << 20))
packer = zlib.compressobj()
bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(200)) + packer.flush()
print(len(bomb) < 300_000)
zlib.decompress(bomb)
