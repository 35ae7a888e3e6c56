# requirement: uharfbuzz
# imports: uharfbuzz
# note: files by path are opened in C, with Emscripten's flags and layouts; bytes work
import uharfbuzz

buffer = uharfbuzz.Buffer()
buffer.add_str("shape")
buffer.guess_segment_properties()
assert buffer.script == "Latn" and buffer.direction == "ltr"
font = uharfbuzz.Font(uharfbuzz.Face(uharfbuzz.Blob(b"")))
uharfbuzz.shape(font, buffer)
assert [info.codepoint for info in buffer.glyph_infos] == [0] * 5
