# The message of a KeyError is the key's repr, as CPython shows it.
{"a": 1}["b"]
