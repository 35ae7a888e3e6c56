# The locale is C with UTF-8; formats that depend on it are those of C.
import codecs, locale, sys
[locale.setlocale(locale.LC_ALL, ""), locale.getpreferredencoding(), sys.getdefaultencoding(), sys.getfilesystemencoding(), sys.flags.utf8_mode, locale.format_string("%.2f", 1234.5, grouping=True), "é".encode("latin-1"), "日本".encode("shift_jis"), b"\xb4\xeb".decode("euc_kr"), codecs.decode("uryyb", "rot13"), "bücher.example".encode("idna")]
