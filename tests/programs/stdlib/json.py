# JSON there and back, with its errors.
import json
data = {"ü": [1, 2.5, None, True, "\u2028"], "nested": {"b": 1, "a": 2}}
text = json.dumps(data, sort_keys=True, indent=1)
assert json.loads(text) == data
for bad in ('{"a": 1,}', "[1, 2", '"\x01"', "nan", ""):
    try:
        json.loads(bad)
    except json.JSONDecodeError as error:
        print(error)
print(json.dumps(data, ensure_ascii=False, separators=(",", ":")))
[json.loads("1e400"), json.loads("NaN") != 0, json.loads("123456789012345678901234567890")]
