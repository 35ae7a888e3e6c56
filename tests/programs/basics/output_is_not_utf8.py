# Bytes that are no UTF-8 are shown replaced; the run goes on.
import sys
sys.stdout.buffer.write(b"\xff\xfe|\x80abc\xe2\x82|\n")
print("lone surrogates are escaped on stderr:", "\ud800", file=sys.stderr)
