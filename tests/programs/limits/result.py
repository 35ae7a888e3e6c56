# limits: result=1k
# The value's repr is cut at half the limit; JSON that does not fit into the other half is absent.
{"key": "v" * 2000}
