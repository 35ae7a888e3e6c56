# requirement: jsonschema<4.18
# imports: jsonschema
# note: before 4.18; later versions need rpds-py, which is native
import jsonschema

validator = jsonschema.Draft202012Validator({"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}})
assert [e.message for e in validator.iter_errors({"a": "x"})] == ["'x' is not of type 'integer'"]
