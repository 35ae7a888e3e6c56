import re
text = "2024-02-29, 1999-12-31; x@example.org"
[re.findall(r"(\d{4})-(\d\d)", text), re.sub(r"(?P<user>\w+)@", lambda m: m["user"].upper() + " at ", text), re.split(r"[,;]\s*", text), re.fullmatch(r"(?i)ÄÖ+", "äööÖ").group(), re.search(r"(?<=-)\d+(?=-)", text).span(), [m.start() for m in re.finditer(r"\b\d", text)], re.compile(r"(a+)+b").match("a" * 15)]
