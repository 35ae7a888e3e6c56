"""stdin, stdout and stderr."""

import unittest

from .support import Case


class Output(Case):
    def test_print(self):
        ran = self.completes("import sys\nprint('a', 1)\nprint('b', file=sys.stderr)\nsys.stdout.write('c')\nNone")
        self.assertEqual((ran.out, ran.err), ("a 1\nc", "b\n"))

    def test_nothing_stays_behind(self):
        # The program reads the file its output goes to: what it finds there had left before print returned.
        code = "import os, sys\nprint('x', end='')\nsys.stdout.write('y')\nprint('e', end='', file=sys.stderr)\nfrom pathlib import Path\n[Path(p).read_text() for p in paths]"
        found = self.value(
            "import glob, tempfile, os\npaths = [max(glob.glob(tempfile.gettempdir() + '/*/' + n), key=os.path.getmtime) for n in ('out', 'err')]\n"
            + code
        )
        self.assertEqual(found, ["xy", "e"])

    def test_order_of_text_and_bytes(self):
        self.assertEqual(
            self.completes(
                "import sys\nfor i in range(3):\n    print(i, end=' ')\n    sys.stdout.buffer.write(b'b ')"
            ).out,
            "0 b 1 b 2 b ",
        )

    def test_attributes(self):
        self.assertEqual(
            self.value(
                "import sys\n[sys.stdout.encoding, sys.stdout.errors, sys.stdout.name, sys.stdout.mode, sys.stdout.isatty(), sys.stderr.name, sys.stdout.closed, sys.stdout.write_through]"
            ),
            ["utf-8", "backslashreplace", "<stdout>", "w", False, "<stderr>", False, True],
        )

    def test_surrogates_do_not_raise(self):
        ran = self.completes("import sys\nprint('a\\ud800b')\nprint('\\udfff', file=sys.stderr)")
        self.assertEqual((ran.out, ran.err), ("a\\ud800b\n", "\\udfff\n"))

    def test_utf8_whatever_the_locale(self):
        self.assertEqual(self.completes("print('ä€😀')", env={"LANG": "C", "PYTHONIOENCODING": "ascii"}).out, "ä€😀\n")

    def test_large_writes(self):
        self.assertEqual(len(self.completes("print('x' * 5_000_000)").out), 5_000_001)
        self.assertEqual(
            len(self.completes("import sys, array\nsys.stdout.buffer.write(array.array('i', [0] * 1000))\nNone").out),
            4000,
        )

    def test_many_prints(self):
        ran = self.completes("for i in range(20_000): print(i)")
        self.assertEqual(ran.out.count("\n"), 20_000)

    def test_redirect(self):
        self.assertEqual(
            self.value(
                "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()) as f: print('x')\nf.getvalue()"
            ),
            "x\n",
        )

    def test_buffered_replacement_is_flushed(self):
        ran = self.completes(
            "import io, sys\nsys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding='utf-8')\nprint('kept')"
        )
        self.assertEqual(ran.out, "kept\n")
        self.assertEqual(
            self.raises("import io, sys\nsys.stdout = io.TextIOWrapper(sys.stdout.buffer)\nprint('kept')\n1/0").out,
            "kept\n",
        )
        self.assertEqual(
            self.completes(
                "import codecs, sys\nsys.stdout = codecs.getwriter('utf-8')(sys.stdout.buffer)\nprint('ä')"
            ).out,
            "ä\n",
        )

    def test_reconfigure(self):
        self.assertEqual(
            self.completes(
                "import sys\nsys.stdout.reconfigure(encoding='utf-8', errors='replace', line_buffering=True)\nprint('\\ud800')"
            ).out,
            "?\n",
        )

    def test_closed_deleted_replaced(self):
        for code in (
            "sys.stdout.close()",
            "sys.stdout.detach()",
            "del sys.stdout",
            "sys.stdout = None",
            "sys.stdout = 5",
            "sys.stderr.close()",
            "sys.stdout.buffer.close()",
        ):
            with self.subTest(code):
                self.assertEqual(self.value(f"import sys\n{code}\n7"), 7)
                self.exits(f"import sys\n{code}\nsys.exit('m')", 1)

    def test_exit_message_reaches_the_real_stderr(self):
        self.assertEqual(self.exits("import sys\nsys.stderr = None\nsys.exit('m')", 1).err, "m\n")
        self.assertEqual(
            self.exits(
                "import sys\nclass W:\n    def write(s, t): raise SystemExit\nsys.stderr = W()\nsys.exit('m')", 1
            ).err,
            "m\n",
        )

    def test_hostile_stream(self):
        code = "import sys\nclass W:\n    def write(s, t): raise KeyboardInterrupt\n    flush = write\n    def __getattr__(s, n): raise SystemExit\nsys.stdout = sys.stderr = W()\n5"
        self.assertEqual(self.value(code), 5)

    def test_next_run_has_its_own(self):
        self.completes("import sys\nsys.stdout.close()")
        self.assertEqual(self.completes("print('fine')").out, "fine\n")

    def test_logging(self):
        self.assertEqual(self.completes("import logging\nlogging.warning('w')").err, "WARNING:root:w\n")


class Input(Case):
    def test_input(self):
        ran = self.completes("a = input('name? ')\nb = input()\n[a, b]", stdin="Ann\nBo\n")
        self.assertEqual((ran.json, ran.out), (["Ann", "Bo"], "name? "))

    def test_end_of_input(self):
        ran = self.raises("input('? ')", "EOFError")
        self.assertEqual((ran.error["message"], ran.out), ("EOF when reading a line", "? "))
        self.raises("input()\ninput()", "EOFError", stdin="one")
        self.raises("input()", "EOFError", stdin="")

    def test_last_line_without_newline(self):
        self.assertEqual(self.value("[input(), input()]", stdin="a\nb"), ["a", "b"])

    def test_reading(self):
        self.assertEqual(
            self.value("import sys\n[sys.stdin.readline(), sys.stdin.read(), sys.stdin.read()]", stdin="a\nb\nc"),
            ["a\n", "b\nc", ""],
        )
        self.assertEqual(self.value("import sys\nlist(sys.stdin)", stdin="a\r\nb\n"), ["a\n", "b\n"])
        self.assertEqual(
            self.value("import sys\n[sys.stdin.buffer.read().decode(), sys.stdin.isatty(), sys.stdin.name]", stdin="ä"),
            ["ä", False, "<stdin>"],
        )

    def test_no_stdin_reads_as_empty(self):
        self.assertEqual(self.value("import sys\n[sys.stdin.read(), sys.stdin.buffer.read().decode()]"), ["", ""])

    def test_fileinput(self):
        self.assertEqual(self.value("import fileinput\nlist(fileinput.input())", stdin="a\nb\n"), ["a\n", "b\n"])

    def test_getpass(self):
        self.assertEqual(
            self.value(
                "import getpass, warnings\nwarnings.simplefilter('ignore')\ngetpass.fallback_getpass('p: ')",
                stdin="secret\n",
            ),
            "secret",
        )


if __name__ == "__main__":
    unittest.main()
