"""The modules laid over the standard library: they import, they refuse, and what needs no network works.

On the host they run in a fresh interpreter with the overlay first on its path; in the guest they are the library.
"""

import json
import os
import subprocess
import sys
import unittest

from . import support

OVERLAY = os.path.join(os.path.dirname(os.path.dirname(support.HERE)), "overlay")


def evaluate(code):
    """The JSON that ``code`` leaves in ``result``."""
    if support.IN_GUEST:
        names = {}
        exec(code, names)
        return json.loads(json.dumps(names["result"]))
    head = f"import sys; sys.path.insert(0, {OVERLAY!r})\n"
    tail = "\nimport json; print(json.dumps(result))"
    done = subprocess.run([sys.executable, "-I", "-c", head + code + tail], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


ATTEMPTS = """
def attempt(what, *arguments, **named):
    try:
        what(*arguments, **named)
    except BaseException as error:
        return [type(error).__name__, str(error)]
    return "it worked"
"""
DENIED = ["PermissionError", "network access is disabled in this sandbox"]


class Socket(unittest.TestCase):
    def test_refusals(self):
        found = evaluate(
            ATTEMPTS
            + "import socket, socketserver\nresult = [attempt(socket.socket), attempt(socket.socketpair), attempt(socket.create_connection, ('example.org', 80)),"
            "attempt(socket.getaddrinfo, 'example.org', 80), attempt(socket.gethostbyname, 'x'), attempt(socket.create_server, ('', 0)), attempt(socket.fromfd, 0, 1, 1),"
            "attempt(socketserver.TCPServer, ('', 0), None)]"
        )
        self.assertEqual(found, [DENIED] * 8)

    def test_names(self):
        found = evaluate(
            "import socket\nresult = [socket.gethostname(), repr(socket.AF_INET), repr(socket.SOCK_STREAM), socket.has_ipv6, socket.getservbyname('https'), socket.getservbyport(80), socket.getprotobyname('tcp'), socket.timeout is TimeoutError, socket.error is OSError, issubclass(socket.gaierror, OSError)]"
        )
        self.assertEqual(
            found,
            [
                "sandbox",
                "<AddressFamily.AF_INET: 2>",
                "<SocketKind.SOCK_STREAM: 1>",
                True,
                443,
                "http",
                6,
                True,
                True,
                True,
            ],
        )

    def test_the_type_of_capsules(self):
        self.assertEqual(evaluate("import types\nresult = types.CapsuleType.__name__"), "PyCapsule")

    def test_conversions(self):
        found = evaluate(
            "import socket as s\nresult = [s.inet_aton('1.2.3.4').hex(), s.inet_aton('127.1').hex(), s.inet_aton('0x7f.1').hex(), s.inet_ntoa(b'\\1\\2\\3\\4'),"
            "s.inet_pton(s.AF_INET6, '::1').hex(), s.inet_ntop(s.AF_INET6, s.inet_pton(s.AF_INET6, '2001:db8::1')), s.inet_ntop(s.AF_INET6, b'\\0'*10 + b'\\xff\\xff\\1\\2\\3\\4'),"
            "s.htons(1), s.ntohl(0x01020304), s.htonl(s.ntohl(7))]"
        )
        self.assertEqual(
            found,
            [
                "01020304",
                "7f000001",
                "7f000001",
                "1.2.3.4",
                "0" * 31 + "1",
                "2001:db8::1",
                "::ffff:1.2.3.4",
                256,
                0x04030201,
                7,
            ],
        )

    def test_bad_conversions(self):
        found = evaluate(
            ATTEMPTS
            + "import socket as s\nresult = [attempt(s.inet_aton, x)[0] for x in ('', '1.2.3.4.5', '256.1.1.1', 'x', '1.2.3.99999', '09')]"
            "+ [attempt(s.inet_pton, s.AF_INET, '1.2.3')[0], attempt(s.inet_ntoa, b'1')[0], attempt(s.htons, 70000)[0], attempt(s.htons, -1)[0], attempt(s.htons, '1')[0]]"
        )
        self.assertEqual(found, ["OSError"] * 8 + ["OverflowError", "OverflowError", "TypeError"])

    def test_default_timeout(self):
        self.assertEqual(evaluate("import socket\nsocket.setdefaulttimeout(5)\nresult = socket.getdefaulttimeout()"), 5)

    def test_clients(self):
        found = evaluate(
            ATTEMPTS + "import urllib.request, http.client, smtplib, ftplib, poplib, imaplib, xmlrpc.client\n"
            "result = [attempt(urllib.request.urlopen, 'http://example.org'), attempt(http.client.HTTPConnection('example.org').request, 'GET', '/'), attempt(smtplib.SMTP, 'example.org'),"
            "attempt(ftplib.FTP, 'example.org'), attempt(urllib.request.urlopen, 'https://example.org')]"
        )
        self.assertEqual(found[1:4], [DENIED] * 3)
        for error in (found[0], found[4]):
            self.assertEqual(error, ["URLError", "<urlopen error network access is disabled in this sandbox>"])


class Ssl(unittest.TestCase):
    def test_context(self):
        found = evaluate(
            "import ssl\nc = ssl.create_default_context()\nc.load_verify_locations(cadata='x')\nc.set_alpn_protocols(['h2', 'http/1.1'])\nc.set_ciphers('ALL')\n"
            "c.options |= ssl.OP_NO_TLSv1\nc.minimum_version = ssl.TLSVersion.TLSv1_2\nc.verify_flags |= ssl.VERIFY_X509_STRICT\n"
            "result = [c.check_hostname, repr(c.verify_mode), c.minimum_version.name, c.protocol.name, bool(c.options & ssl.OP_NO_TLSv1), ssl.HAS_SNI, ssl.HAS_TLSv1_3, c.cert_store_stats()]"
        )
        self.assertEqual(
            found,
            [
                True,
                "<VerifyMode.CERT_REQUIRED: 2>",
                "TLSv1_2",
                "PROTOCOL_TLS_CLIENT",
                True,
                True,
                True,
                {"x509": 0, "crl": 0, "x509_ca": 0},
            ],
        )

    def test_rules_of_verification(self):
        found = evaluate(
            ATTEMPTS
            + "import ssl\nc = ssl.create_default_context()\nfirst = attempt(setattr, c, 'verify_mode', ssl.CERT_NONE)\nc.check_hostname = False\nc.verify_mode = ssl.CERT_NONE\n"
            "second = c.verify_mode.name\nc.check_hostname = True\nresult = [first[0], second, c.verify_mode.name, ssl._create_unverified_context().verify_mode.name, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).verify_mode.name]"
        )
        self.assertEqual(found, ["ValueError", "CERT_NONE", "CERT_REQUIRED", "CERT_NONE", "CERT_NONE"])

    def test_wrapping_refuses(self):
        found = evaluate(
            ATTEMPTS
            + "import ssl\nc = ssl.create_default_context()\nresult = [attempt(c.wrap_bio, ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname='x'), attempt(ssl.get_server_certificate, ('example.org', 443))]"
        )
        self.assertEqual(found, [DENIED, DENIED])

    def test_errors(self):
        found = evaluate(
            "import ssl\nresult = [str(ssl.SSLError('m')), str(ssl.SSLError(1, 'm')), issubclass(ssl.SSLCertVerificationError, ValueError), issubclass(ssl.SSLError, OSError), ssl.SSLError.__module__, ssl.CertificateError is ssl.SSLCertVerificationError, ssl.SSLError('m').reason]"
        )
        self.assertEqual(found, ["m", "m", True, True, "ssl", True, None])

    def test_memory_bio(self):
        found = evaluate(
            "import ssl\nb = ssl.MemoryBIO()\nb.write(b'abc')\nx = [b.pending, b.read(2).decode(), b.eof]\nb.write_eof()\nresult = x + [b.read().decode(), b.eof]"
        )
        self.assertEqual(found, [3, "ab", False, "c", True])

    def test_purposes_and_paths(self):
        self.assertEqual(
            evaluate("import ssl\nresult = [ssl.Purpose.SERVER_AUTH.shortname, len(ssl.RAND_bytes(5))]"),
            ["serverAuth", 5],
        )


class Others(unittest.TestCase):
    def test_ctypes_mmap_tkinter(self):
        found = evaluate(
            ATTEMPTS
            + "for n in ('ctypes', '_ctypes', 'mmap', 'tkinter', '_tkinter'): sys.modules.pop(n, None)\nresult = [attempt(__import__, n) for n in ('ctypes', 'mmap', 'tkinter')]"
            if not support.IN_GUEST
            else ATTEMPTS + "result = [attempt(__import__, n) for n in ('ctypes', 'mmap', '_tkinter')]"
        )
        for (kind, text), name in zip(found, ("ctypes", "mmap", "tkinter")):
            self.assertEqual(kind, "ImportError")
            self.assertTrue(text.startswith(f"{name} is not available in this sandbox"), text)

    def test_multiprocessing(self):
        found = evaluate(
            ATTEMPTS
            + "import multiprocessing, concurrent.futures\nresult = [attempt(multiprocessing.Lock), attempt(multiprocessing.Queue), attempt(multiprocessing.Event), attempt(multiprocessing.Value, 'i')[0], attempt(concurrent.futures.ProcessPoolExecutor)]"
        )
        for kind, text in found[:3]:
            self.assertEqual(kind, "PermissionError")
            self.assertIn("not available in this sandbox", text)
        self.assertIn(found[3], ("PermissionError", "ImportError"))
        self.assertIn(found[4][0], ("PermissionError", "NotImplementedError"))

    def test_imports(self):
        modules = "asyncio concurrent.futures ftplib http.client http.server imaplib multiprocessing poplib select selectors signal smtplib socket socketserver ssl subprocess threading urllib.request xmlrpc.client"
        self.assertEqual(
            evaluate(f"import importlib\nresult = len([importlib.import_module(n) for n in {modules.split()}])"),
            len(modules.split()),
        )


if __name__ == "__main__":
    unittest.main()
