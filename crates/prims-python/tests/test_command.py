"""The command, through Python."""

import json
import os
import signal
import subprocess
import sys
import unittest

import prims_wasm


def prims(*arguments, **options):
    command = [sys.executable, "-m", "prims_wasm", *arguments]
    return subprocess.run(command, capture_output=True, text=True, **options)


class Command(unittest.TestCase):
    def test_version_and_help(self):
        self.assertEqual(prims("--version").stdout, f"prims-wasm {prims_wasm.__version__}\n")
        self.assertIn("Usage: prims-wasm", prims("--help").stdout)

    def test_a_run(self):
        done = prims("run", "-c", "print('é')\n6 * 7")
        self.assertEqual((done.returncode, done.stdout), (0, "é\n42\n"), done.stderr)

    def test_the_status_is_that_of_the_command(self):
        for arguments, status in ((["run", "-c", "import sys; sys.exit(7)"], 7), (["run", "-c", "1 / 0"], 1), (["run"], 2), (["nothing"], 2)):
            done = prims(*arguments)
            self.assertEqual(done.returncode, status, done.stderr)

    def test_control_c_ends_a_run(self):
        command = [sys.executable, "-m", "prims_wasm", "run", "-c", "print('begun', flush=True)\nwhile True: pass", "--timeout", "3000s"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
            self.assertEqual(child.stdout.readline(), "begun\n")
            child.send_signal(signal.SIGINT)
            self.assertEqual(child.wait(60), 130)

    def test_the_server_answers_and_ends_with_its_input(self):
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "run_code", "arguments": {"code": "6 * 7"}}}
        environment = {**os.environ, "PRIMS_DATA_DIR": ""}
        command = [sys.executable, "-m", "prims_wasm", "stdio", "--log-level", "error"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as child:
            child.stdin.write(json.dumps(call) + "\n")
            child.stdin.flush()
            self.assertEqual(json.loads(child.stdout.readline())["result"]["structuredContent"]["return_value"], 42)
            child.stdin.close()
            self.assertEqual(child.wait(60), 0)

    def test_starting_imports_little(self):
        code = "import sys, prims_wasm.__main__\nprint(sorted({'asyncio', 'json', 'dataclasses', 'subprocess'} & set(sys.modules)))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        self.assertEqual(done.stdout, "[]\n", done.stderr)


if __name__ == "__main__":
    unittest.main()
