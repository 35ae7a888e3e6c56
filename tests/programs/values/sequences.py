# Sequences and ranges are arrays.
import collections
[(), (1,), [1, [2]], range(3), range(0, 10, 4), collections.deque([1, 2], maxlen=5), {}.keys(), {"a": 1}.values(), {"a": 1}.items()]
