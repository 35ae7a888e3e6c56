# requirement: six
# imports: six
import six

assert six.ensure_text(b"a") == "a" and six.moves.urllib.parse.quote("a b") == "a%20b"
