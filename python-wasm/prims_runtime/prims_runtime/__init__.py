"""The guest side of prims-wasm: runs one piece of code and reports what happened.

The host calls `handle` with a request and gets a reply, both JSON: ``prepare`` once while an image is built, ``run``
once per clone of it. See README.md for what the replies hold.
"""

from ._dispatch import handle
from ._preload import DEFAULT_PRELOAD

__all__ = ["DEFAULT_PRELOAD", "handle"]
