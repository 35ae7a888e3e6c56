# limits: result=4k
# JSON that would be larger than the limit is absent as a whole, never cut.
["x" * 100] * 100
