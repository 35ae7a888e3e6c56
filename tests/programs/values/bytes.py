# Bytes of every kind are base64 in JSON.
[b"", b"\x00\xff", bytearray(b"abc"), memoryview(b"view")]
