# Quotes, control characters, astral characters, right-to-left marks and lone surrogates.
["it's", 'say "x"', "tab\tnew\nline\r\0\x1b[31m", "🐍é", "\u202egnp", "\ud800", "\u2028"]
