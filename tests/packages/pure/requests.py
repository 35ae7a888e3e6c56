# requirement: requests
# imports: requests
import requests

request = requests.Request("POST", "https://example.org/a", params={"q": "ä b"}, json={"x": [1]}).prepare()
assert request.url == "https://example.org/a?q=%C3%A4+b" and request.body == b'{"x": [1]}', (request.url, request.body)
try:
    requests.get("https://example.org/", timeout=5)
except requests.exceptions.ConnectionError:
    pass  # there is no network, and that is said in requests' own words
else:
    raise AssertionError("a request was answered")
