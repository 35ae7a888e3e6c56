# Two hundred thousand nested lists as the value: the host is not impressed.
value = []
for _ in range(200_000):
    value = [value]
value
