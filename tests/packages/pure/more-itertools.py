# requirement: more-itertools
# imports: more_itertools
import more_itertools

assert list(more_itertools.chunked(range(5), 2)) == [[0, 1], [2, 3], [4]]
