"""Rich forms of a value: what a notebook would show. At most one, the first of the table that fits the bound."""

from ._own import BUILTINS as __builtins__  # noqa: F401, I001

import base64
import io

from ._render import SCALARS
from ._text import clean

METHODS = (
    ("_repr_png_", "image/png"),
    ("_repr_jpeg_", "image/jpeg"),
    ("_repr_svg_", "image/svg+xml"),
    ("_repr_html_", "text/html"),
    ("_repr_markdown_", "text/markdown"),
    ("_repr_latex_", "text/latex"),
)
PLAIN = SCALARS | {str, bytes, bytearray, list, tuple, dict, set, frozenset}


def rich(value, limit):
    """{"mime": ..., "data": ...} or None. Images are base64, everything else is text. Never raises."""
    try:
        kind = type(value)
        if kind in PLAIN:
            return None
        for name, mime in METHODS:
            method = getattr(kind, name, None)
            if method is None:
                continue
            try:
                data = method(value)
            except BaseException:
                continue
            found = _pack(mime, data, limit)
            if found:
                return found
        if kind.__module__ == "matplotlib.figure" and kind.__name__ == "Figure":
            file = io.BytesIO()
            value.savefig(file, format="png", bbox_inches="tight")
            return _pack("image/png", file.getvalue(), limit)
    except BaseException:
        pass
    return None


def _pack(mime, data, limit):
    if type(data) is tuple:  # data and metadata
        data = data[0]
    if isinstance(data, (bytes, bytearray)):
        data = base64.b64encode(data).decode()
    elif isinstance(data, str):
        data = clean(data)
    else:
        return None
    return {"mime": mime, "data": data} if len(data) <= limit else None
