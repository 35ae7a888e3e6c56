# requirement: sortedcontainers
# imports: sortedcontainers
import sortedcontainers

assert list(sortedcontainers.SortedDict(b=1, a=2)) == ["a", "b"]
