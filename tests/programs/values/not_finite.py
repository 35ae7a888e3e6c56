# JSON has no infinities and no NaN: they are text.
[float("nan"), float("inf"), float("-inf"), 1e308 * 10]
