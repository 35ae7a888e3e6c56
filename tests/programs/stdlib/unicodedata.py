# The whole Unicode database.
import unicodedata
[unicodedata.name("🐍"), unicodedata.lookup("LATIN SMALL LETTER E WITH ACUTE"), unicodedata.normalize("NFD", "é").encode(), unicodedata.normalize("NFKC", "ﬁ①"), unicodedata.category("€"), unicodedata.bidirectional("א"), unicodedata.east_asian_width("日"), unicodedata.numeric("½"), "\N{GREEK SMALL LETTER ALPHA}", "ǆ".title(), "ß".upper(), "İ".lower().encode(), unicodedata.unidata_version]
