"""From mcp-run-python to prims-wasm: the import changes, nothing else.

    pip install prims-wasm
    python examples/migrate_from_mcp_run_python.py
"""

import asyncio

# from mcp_run_python import code_sandbox
from prims_wasm import code_sandbox

CODE = """
import numpy as np

print("limit:", limit)
np.arange(limit).reshape(2, -1)
"""


def log_handler(level: str, message: str) -> None:
    print(f"{level}: {message}")


async def main() -> None:
    async with code_sandbox(dependencies=["numpy"], log_handler=log_handler, allow_networking=False) as sandbox:
        result = await sandbox.eval(CODE, {"limit": 6})
        print(result)
        assert result == {"status": "success", "output": ["limit: 6"], "return_value": [[0, 1, 2], [3, 4, 5]]}

        result = await sandbox.eval("1 / 0")
        assert result["status"] == "run-error"
        print(result["error"])


asyncio.run(main())
