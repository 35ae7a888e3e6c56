# requirement: jmespath
# imports: jmespath
import jmespath

assert jmespath.search("a[?n > `1`].n", {"a": [{"n": 1}, {"n": 2}]}) == [2]
