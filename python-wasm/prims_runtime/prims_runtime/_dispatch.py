"""The door: one request in, one reply out."""

from ._own import BUILTINS as __builtins__  # noqa: F401, I001

import json

from . import _preload, _run

_decode = json.JSONDecoder().raw_decode


def handle(request):
    """Serve one request of the host (bytes of JSON) and give the reply (bytes of JSON).

    Whatever user code does ends in a reply. What raises here is a broken request or a broken image.
    """
    request = _decode(request.decode())[0]
    if request["op"] == "run":
        _run.set_up()
        return _run.run(request)
    if request["op"] == "prepare":
        return json.dumps(_preload.prepare(request, handle)).encode()
    raise ValueError(f"unknown op {request['op']!r}, expected 'prepare' or 'run'")
