"""Text as JSON strings of bounded size."""

from ._own import BUILTINS as __builtins__  # noqa: F401, I001

import json.encoder
import re

# The C encoder; it leaves everything but quotes, backslashes and control characters as it is.
quote = json.encoder.encode_basestring

_surrogate = re.compile("[\ud800-\udfff]")
_escape = lambda match: f"\\u{ord(match[0]):04x}"


def clean(text):
    """An exact ``str`` without lone surrogates, which JSON in UTF-8 cannot carry; they become backslash escapes."""
    text = str.__str__(text)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return _surrogate.sub(_escape, text)
    return text


def bounded(text, limit, tail=False):
    """``text`` as JSON (bytes, quotes included) of at most ``limit`` bytes, and whether something was cut.

    Without ``tail`` the end is cut off; with it the middle is left out, so that the end remains.
    """
    if len(text) * 6 + 2 <= limit:  # nothing takes more than six bytes
        return quote(clean(text)).encode(), False
    keep = min(len(text), limit)
    cut = keep < len(text)
    while True:
        if not cut:
            piece = text
        elif tail:
            half = keep // 2
            piece = f"{text[:half]}\n[... {len(text) - 2 * half} characters left out ...]\n{text[len(text) - half :]}"
        else:
            piece = text[:keep]
        encoded = quote(clean(piece)).encode()
        if len(encoded) <= limit or keep == 0:
            return encoded, cut
        # Too large by a known factor; a second round is only needed where the rest is denser than the whole.
        keep = min(keep - 1, max(0, keep * limit // len(encoded) - (64 if tail else 4)))
        cut = True
