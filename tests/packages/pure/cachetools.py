# requirement: cachetools
# imports: cachetools
import cachetools

cache = cachetools.LRUCache(2)
cache.update(a=1, b=2)
cache["c"] = 3
assert sorted(cache) == ["b", "c"]
