"""The `prims-wasm` command."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from . import _native


def main() -> int:
    """Runs the command with the arguments of this process; its exit status."""
    # The program handles Ctrl-C itself, or wants to be ended by it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _native.use_seed(Path(__file__).parent / "seed", Path(_native.__file__))
    return _native.main(["prims-wasm", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
