# A value computed before an error is not reported.
5 + 5
1 / 0
