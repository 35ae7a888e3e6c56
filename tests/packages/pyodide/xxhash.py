# requirement: xxhash
# imports: xxhash
import xxhash

assert xxhash.xxh32_hexdigest(b"a") == "550d7456" and xxhash.xxh64_hexdigest(b"a") == "d24ec4f1a98c6e5b"
assert xxhash.xxh3_64_hexdigest(b"") == "2d06800538d394c2" and xxhash.xxh128_hexdigest(b"") == "99aa06d3014798d86001c324468d497f"
