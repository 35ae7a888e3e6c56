# Every way to a socket imports, and refuses at the call.
import http.client, smtplib, socket, socketserver, ssl, urllib.error, urllib.request, xmlrpc.client
def attempt(name, function):
    try:
        print(name, "gave", function())
    except BaseException as error:
        print(f"{name}: {type(error).__module__}.{type(error).__name__}: {error}")
attempt("socket", lambda: socket.socket())
attempt("inet6", lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
attempt("unix", lambda: socket.socket(socket.AF_UNIX))
attempt("raw", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW))
attempt("pair", lambda: socket.socketpair())
attempt("create_connection", lambda: socket.create_connection(("127.0.0.1", 80), 1))
attempt("create_server", lambda: socket.create_server(("", 0)))
attempt("fromfd", lambda: socket.fromfd(3, socket.AF_INET, socket.SOCK_STREAM))
attempt("getaddrinfo", lambda: socket.getaddrinfo("example.org", 80))
attempt("gethostbyname", lambda: socket.gethostbyname("localhost"))
attempt("gethostname", lambda: socket.gethostname())
attempt("getfqdn", lambda: socket.getfqdn())
attempt("urlopen", lambda: urllib.request.urlopen("http://example.org/", timeout=1))
attempt("urlopen https", lambda: urllib.request.urlopen("https://127.0.0.1/"))
attempt("urlopen file", lambda: urllib.request.urlopen("file:///etc/passwd"))
attempt("urlopen ftp", lambda: urllib.request.urlopen("ftp://example.org/x"))
attempt("http.client", lambda: http.client.HTTPConnection("127.0.0.1", 8080).request("GET", "/"))
attempt("https", lambda: http.client.HTTPSConnection("example.org").connect())
attempt("smtp", lambda: smtplib.SMTP("localhost"))
attempt("xmlrpc", lambda: xmlrpc.client.ServerProxy("http://localhost/").system.listMethods())
attempt("server", lambda: socketserver.TCPServer(("", 0), None))
attempt("/dev/tcp", lambda: open("/dev/tcp/127.0.0.1/80"))
issubclass(socket.gaierror, OSError), socket.AF_INET.name, socket.inet_aton("1.2.3.4"), socket.htons(1) in (1, 256), socket.has_ipv6
