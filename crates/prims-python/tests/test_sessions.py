"""Sessions, from ordinary Python."""

import subprocess
import sys
import tempfile
import unittest

from prims_wasm import FileError, Sandbox, SessionError


class Sessions(unittest.TestCase):
    def setUp(self):
        self.sandbox = Sandbox(offline=True)

    def test_variables_and_files_stay(self):
        with self.sandbox.session() as session:
            session.run("import statistics\nx = [1, 2]\nopen('f', 'w').write('text')")
            self.assertEqual(session.run("x.append(6)\nstatistics.mean(x)").value, 3)
            self.assertEqual(session.run("open('f').read()").value, "text")

    def test_without_state_only_files_stay(self):
        with self.sandbox.session(stateful=False) as session:
            session.run("x = 1\nopen('f', 'w').close()")
            self.assertEqual(session.run("import os\n['x' in globals(), os.path.exists('f')]").value, [False, True])

    def test_a_run_that_is_stopped_leaves_the_variables_as_they_were(self):
        with self.sandbox.session() as session:
            session.run("x = 1")
            self.assertEqual(session.run("x = 2\nwhile True: pass", timeout=0.3).status, "timeout")
            self.assertEqual(session.run("x").value, 1)
            self.assertEqual(session.run("x = 3\n1 / 0").status, "error")
            self.assertEqual(session.run("x").value, 3)

    def test_forks_go_their_own_ways(self):
        with self.sandbox.session() as session:
            session.run("x = 1\nopen('f', 'w').write('a')")
            with session.fork() as fork:
                fork.run("x = 2\nopen('f', 'w').write('b')")
                self.assertEqual([part.run("[x, open('f').read()]").value for part in (session, fork)], [[1, "a"], [2, "b"]])
            self.assertRaises(SessionError, fork.run, "x")
            self.assertEqual(session.run("x").value, 1)

    def test_beginning_anew(self):
        with self.sandbox.session() as session:
            session.run("x = 1\nopen('f', 'w').close()")
            session.reset()
            self.assertEqual(session.run("import os\n['x' in globals(), os.path.exists('f')]").value, [False, True])
            session.reset(files=True)
            self.assertEqual(session.run("import os\nos.path.exists('f')").value, False)

    def test_files_without_running_code(self):
        with self.sandbox.session() as session:
            session.write("d/a.txt", "text")
            session.write("b.bin", b"\x00\xff")
            self.assertEqual(sorted((file.path, file.size) for file in session.files()), [("b.bin", 2), ("d/a.txt", 4)])
            self.assertEqual([file.read() for file in session.files("d")], [b"text"])
            session.delete("d")
            self.assertEqual([file.path for file in session.files()], ["b.bin"])
            self.assertRaises(FileError, session.read, "d/a.txt")
            result = session.run("open('output/x.json', 'w').write('{}')", files={"c": "given"})
            self.assertEqual([(file.path, file.mime, file.read()) for file in result.artifacts], [("output/x.json", "application/json", b"{}")])
            self.assertEqual(session.read("c"), b"given")

    def test_no_path_leads_out_of_the_workspace(self):
        with self.sandbox.session() as session:
            for path in ("../x", "/etc/passwd", "d/../../x"):
                self.assertRaises(FileError, session.read, path)
                self.assertRaises(FileError, session.write, path, "x")
                self.assertRaises(FileError, session.delete, path)
                self.assertRaises(FileError, session.files, path)

    def test_packages_of_a_session(self):
        with self.sandbox.session(deps=["numpy"]) as session:
            session.run("import numpy as np\na = np.arange(3)")
            self.assertEqual(session.run("a * 2").value, [0, 2, 4])
            self.assertRaises(SessionError, session.run, "1", deps=["no-such-package-anywhere"])

    def test_handles_of_nothing(self):
        for handle in ("", "x", "a" * 32, "../../etc/passwd"):
            self.assertRaises(SessionError, self.sandbox.open_session, handle)
        session = self.sandbox.session()
        session.close()
        session.close()
        self.assertRaises(SessionError, session.run, "1")

    def test_a_folder_is_meant_as_it_was_named(self):
        with tempfile.TemporaryDirectory() as folder:
            code = (
                "import os\nfrom prims_wasm import Sandbox\nos.mkdir('elsewhere')\nsandbox = Sandbox(data_dir='data', offline=True)\n"
                "os.chdir('elsewhere')\nsandbox.session().run('1')\nprint(os.listdir('..'), os.listdir('.'))"
            )
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder)
            self.assertIn(done.stdout, ("['data', 'elsewhere'] []\n", "['elsewhere', 'data'] []\n"), done.stderr)

    def test_sessions_in_a_folder_outlive_the_process(self):
        with tempfile.TemporaryDirectory() as folder:
            begin = f"sandbox = Sandbox(data_dir={folder!r}, offline=True)\n"
            first = begin + "session = sandbox.session()\nsession.run('x = 42')\nprint(session.id)"
            run = lambda code: subprocess.run(
                [sys.executable, "-c", "from prims_wasm import Sandbox\n" + code], capture_output=True, text=True
            )
            done = run(first)
            second = begin + f"session = sandbox.open_session({done.stdout.strip()!r})\nprint(session.stateful, session.run('x').value)"
            done = run(second)
            self.assertEqual(done.stdout, "True 42\n", done.stderr)


if __name__ == "__main__":
    unittest.main()
