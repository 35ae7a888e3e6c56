# limits: memory=64m
# A chain of objects as long as the memory allows goes away again without running over the stack.
class Node:
    def __init__(self, next):
        self.next, self.data = next, [0] * 50
head, count = None, 0
try:
    while True:
        head = Node(head)
        count += 1
except MemoryError:
    pass
head = None
count > 10_000
