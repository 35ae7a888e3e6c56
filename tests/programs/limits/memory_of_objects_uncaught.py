# limits: memory=64m
class Node:
    def __init__(self, next):
        self.next, self.data = next, [0] * 50
head = None
while True:
    head = Node(head)
