import bisect, collections, heapq, itertools, operator
heap = [5, 1, 4]
heapq.heapify(heap)
[collections.Counter("mississippi").most_common(2), [heapq.heappop(heap) for _ in range(3)], list(itertools.batched("abcde", 2)), list(itertools.pairwise([1, 2, 3])), {k: list(g) for k, g in itertools.groupby("aabbb")}, list(itertools.accumulate([1, 2, 3], operator.mul)), bisect.bisect([1, 3, 5], 3), list(itertools.permutations("ab")), heapq.nlargest(2, [3, 9, 4]), collections.deque([1, 2, 3], maxlen=2), [*zip("ab", [1, 2], strict=True)]]
