# requirement: pydantic<2
# imports: pydantic
# note: version 1; version 2 needs pydantic-core, which is native
import pydantic

model = pydantic.create_model("Model", n=(int, ...), tags=(list[str], []))
assert model(n="3").dict() == {"n": 3, "tags": []}
try:
    model(n="x")
except pydantic.ValidationError as error:
    assert error.errors()[0]["loc"] == ("n",)
