"""Run by the build's native interpreter: bytecode.py ROOT HOME. Compiles every module below ROOT, as if it lay at HOME.

Each module is compiled in a fork of its own. What marshal writes depends on how often a string is referred to in the whole
process, so otherwise a change in one module could change the bytecode of another.
"""
import os
import py_compile
import sys
from pathlib import Path


def main(root: Path, home: str) -> int:
    failed = 0
    for path in sorted(root.rglob("*.py")):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                name = f"{home}/{path.relative_to(root).as_posix()}"
                py_compile.compile(str(path), dfile=name, doraise=True, quiet=0, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
                status = 0
            except py_compile.PyCompileError as e:
                print(e, file=sys.stderr, flush=True)
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        failed += status != 0
    return failed


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]) != 0)
