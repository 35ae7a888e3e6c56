# Objects whose __init__ never ran.
import io, _io, sqlite3, zlib, lzma, itertools
found = []
for kind in (io.BytesIO, io.TextIOWrapper, io.BufferedReader, sqlite3.Connection, lzma.LZMADecompressor, itertools.count, property, staticmethod, super, type(lambda: 0).__class__):
    try:
        thing = kind.__new__(kind)
        repr(thing), hash(thing)
        found.append("made")
    except Exception as error:
        found.append(type(error).__name__)
len(found)
