# A value that prints exponentially larger than it is is cut, quickly.
# limits: result=2k timeout=5000ms
part = ["x" * 10]
for _ in range(60):
    part = [part, part]
part
