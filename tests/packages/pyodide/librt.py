# requirement: librt
# imports: librt.base64, librt.internal, librt.strings, librt.vecs, librt.random, librt.time, librt.threading
import librt.base64
import librt.internal
import librt.strings
import librt.vecs
import librt.random
import librt.time
import librt.threading

assert librt.base64.b64encode(b"abc" * 100) == __import__("base64").b64encode(b"abc" * 100)
