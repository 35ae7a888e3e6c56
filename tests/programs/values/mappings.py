# Mappings keep their order; keys that are no strings become what JSON makes of them.
import collections, types
[{"z": 1, "a": 2}, {1: "int", True and 2: "two", None: 0, 1.5: "x"}, {(1, 2): "tuple"}, collections.OrderedDict(b=1, a=2), collections.Counter("aab"), collections.defaultdict(list, k=[1]), collections.ChainMap({"x": 1}, {"y": 2}), types.MappingProxyType({"m": 1})]
