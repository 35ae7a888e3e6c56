# requirement: pyyaml
# imports: yaml
# note: on the index for native platforms only; such a wheel without its native module was used here
import yaml

assert yaml.safe_load("a: [1, 2.5, yes, null]\nb: {c: 2024-01-02}")["a"] == [1, 2.5, True, None]
assert yaml.safe_dump({"x": [1, "ä"]}, allow_unicode=True) == "x:\n- 1\n- ä\n"
