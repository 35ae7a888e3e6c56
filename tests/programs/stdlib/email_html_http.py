# Formats of the network, without a network.
import email, email.policy, html, html.parser, http.cookies, mimetypes, urllib.parse
from email.message import EmailMessage
message = EmailMessage()
message["Subject"] = "Grüße"
message["To"] = "a@example.org"
message.set_content("text ü\n")
message.add_attachment(b"\x00", maintype="application", subtype="octet-stream", filename="x.bin")
parsed = email.message_from_bytes(bytes(message), policy=email.policy.default)
class Links(html.parser.HTMLParser):
    found = []
    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name == "href"]
Links().feed("<a href='/x?a=1&amp;b=2'>y</a>")
[parsed["subject"], parsed.get_body().get_content(), [part.get_filename() for part in parsed.iter_attachments()], Links.found, html.escape("<&'>"), urllib.parse.urlsplit("https://u:p@h:8/p?q=1#f").port, urllib.parse.urlencode({"a": "ü b"}), urllib.parse.urljoin("http://a/b/c", "../d"), mimetypes.guess_type("x.json")[0], http.cookies.SimpleCookie("a=1; b=2")["b"].value]
