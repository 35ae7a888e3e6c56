"""What mcp-run-python has. What is expected here is what that package answers, unless a test says otherwise."""

import json
import subprocess
import unittest

import prims_wasm
from prims_wasm import InstallError, async_prepare_deno_env, code_sandbox, prepare_deno_env, prepare_env, run_mcp_server


class CodeSandbox(unittest.IsolatedAsyncioTestCase):
    async def test_results(self):
        cases = [
            ("print('a')\nprint('b')\n1 + 1", None, {"status": "success", "output": ["a", "b"], "return_value": 2}),
            ("x", {"x": [1, {"y": None}]}, {"status": "success", "output": [], "return_value": [1, {"y": None}]}),
            ("x = 1", None, {"status": "success", "output": [], "return_value": None}),
            ("None", None, {"status": "success", "output": [], "return_value": None}),
            ("__name__", None, {"status": "success", "output": [], "return_value": "__main__"}),
            ("object", None, {"status": "success", "output": [], "return_value": "<class 'object'>"}),
            ("import asyncio\nawait asyncio.sleep(0, 'x')", None, {"status": "success", "output": [], "return_value": "x"}),
            ("print('é\\n\\nx', end='')", None, {"status": "success", "output": ["é", "", "x"], "return_value": None}),
        ]
        async with code_sandbox() as sandbox:
            for code, globals, expected in cases:
                self.assertEqual(await sandbox.eval(code, globals), expected, code)

    async def test_both_streams_in_order(self):
        code = "import sys\nprint('a', flush=True)\nprint('b', file=sys.stderr, flush=True)\nprint('c')"
        async with code_sandbox() as sandbox:
            self.assertEqual((await sandbox.eval(code))["output"], ["a", "b", "c"])

    async def test_output_that_is_too_long_says_where_it_was_cut(self):
        async with code_sandbox() as sandbox:
            output = (await sandbox.eval("print('head')\nfor _ in range(3000): print('x' * 1000)\nprint('tail')"))["output"]
        self.assertEqual((output[0], output[-1]), ("head", "tail"))
        self.assertEqual(sum(line.endswith(" bytes left out ...]") for line in output), 1)

    async def test_errors(self):
        async with code_sandbox() as sandbox:
            result = await sandbox.eval("print('x')\nunknown")
            self.assertEqual((result["status"], result["output"]), ("run-error", ["x"]))
            expected = (
                "Traceback (most recent call last):\n"
                '  File "main.py", line 2, in <module>\n'
                "    unknown\n"
                "NameError: name 'unknown' is not defined\n"
            )
            self.assertEqual(result["error"], expected)
            result = await sandbox.eval("x = ")
            self.assertEqual(result["status"], "run-error")
            self.assertIn("SyntaxError: invalid syntax", result["error"])
            result = await sandbox.eval("raise SystemExit(3)")
            self.assertEqual((result["status"], result["error"]), ("run-error", "SystemExit: 3\n"))

    async def test_files_stay_and_globals_do_not(self):
        async with code_sandbox() as sandbox:
            await sandbox.eval("open('f', 'w').write('x')\nname = 1")
            result = await sandbox.eval("[open('f').read(), 'name' in globals()]")
            self.assertEqual(result["return_value"], ["x", False])

    async def test_dependencies_and_the_log(self):
        log = []
        async with code_sandbox(dependencies=["numpy"], log_handler=lambda *line: log.append(line), allow_networking=False) as sandbox:
            code = "import sys\nimport numpy as np\nprint('out')\nprint('err', file=sys.stderr)\nprint('rest', end='')\nnp.array([1, 2])"
            result = await sandbox.eval(code)
        self.assertEqual(result["return_value"], [1, 2])
        self.assertEqual(sorted(result["output"]), ["err", "out", "rest"])
        loaded = [line for level, line in log if level == "debug"]
        self.assertTrue(loaded and loaded[0].startswith("Loaded numpy "), log)
        self.assertEqual(sorted(line for line in log if line[0] != "debug"), [("info", "out"), ("info", "rest"), ("warning", "err")])

    async def test_dependencies_that_cannot_be_installed(self):
        with self.assertRaises(RuntimeError) as raised:
            async with code_sandbox(dependencies=["numpy>99"]):
                self.fail("it began")
        self.assertIsInstance(raised.exception, InstallError)


class Environments(unittest.IsolatedAsyncioTestCase):
    def test_arguments(self):
        self.assertIs(prepare_deno_env, prepare_env)
        log = []
        with prepare_env("stdio", dependencies=["numpy"], return_mode="json", deps_log_handler=lambda *line: log.append(line)) as env:
            self.assertEqual(
                env.args,
                ["-m", "prims_wasm", "--compat", "mcp-run-python", "stdio", "--return-mode", "json", "--deps", "numpy"],
            )
            self.assertTrue(env.cwd.is_dir() and env.command)
        self.assertEqual([level for level, _ in log], ["info", "debug"])
        with prepare_env("streamable_http", http_port=3002, allow_networking=False) as env:
            self.assertEqual(env.args[4:], ["streamable-http", "--return-mode", "xml", "--port", "3002", "--disable-networking"])
        with self.assertRaises(ValueError), prepare_env("stdio", http_port=1):
            pass

    def test_the_server_runs(self):
        self.assertEqual(run_mcp_server("example", dependencies=["numpy"]), 0)
        arguments = {"name": "run_python_code", "arguments": {"python_code": "print('x')\n6 * 7"}}
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": arguments}
        with prepare_env("stdio", return_mode="json") as env:
            command = [env.command, *env.args]
            with subprocess.Popen(command, cwd=env.cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
                server.stdin.write(json.dumps(call) + "\n")
                server.stdin.flush()
                reply = json.loads(server.stdout.readline())
                server.stdin.close()
                self.assertEqual(server.wait(60), 0)
        text = json.loads(reply["result"]["content"][0]["text"])
        self.assertEqual(text, {"status": "success", "output": ["x"], "return_value": 42})

    async def test_the_asynchronous_one(self):
        async with async_prepare_deno_env("stdio") as env:
            self.assertEqual(env.args[4], "stdio")
        self.assertIs(prims_wasm.async_prepare_env, async_prepare_deno_env)
        with self.assertRaises(InstallError):
            async with async_prepare_deno_env("stdio", dependencies=["numpy>99"]):
                self.fail("it began")


if __name__ == "__main__":
    unittest.main()
