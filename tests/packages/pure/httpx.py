# requirement: httpx
# imports: httpx
import httpx

transport = httpx.MockTransport(lambda request: httpx.Response(200, json={"path": request.url.path}))
assert httpx.Client(transport=transport).get("https://example.org/here").json() == {"path": "/here"}
async with httpx.AsyncClient(transport=transport) as client:
    assert (await client.get("https://example.org/there")).json() == {"path": "/there"}
