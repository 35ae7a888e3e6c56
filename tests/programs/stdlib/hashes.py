# Known answers of hashes, HMAC and key derivation.
import hashlib, hmac
empty = {name: hashlib.new(name, b"abc").hexdigest()[:16] for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3_256", "sha3_512", "blake2b", "blake2s")}
assert hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 4096).hex() == "c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a"
assert hashlib.scrypt(b"password", salt=b"NaCl", n=1024, r=8, p=16, dklen=64).hex().startswith("fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162")
assert hmac.new(b"key", b"The quick brown fox jumps over the lazy dog", "sha256").hexdigest() == "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"
assert hashlib.shake_128(b"").hexdigest(16) == "7f9c2ba4e88f827d616045507605853e"
with open("data", "wb") as file:
    file.write(b"abc")
empty, hashlib.file_digest(open("data", "rb"), "sha256").hexdigest()[:16], hmac.compare_digest("a", "a"), sorted(hashlib.algorithms_guaranteed)
