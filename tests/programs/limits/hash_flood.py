# limits: timeout=2000ms
# Keys that collide cost time of this run only.
class Key:
    def __hash__(self): return 1
table = {}
while True:
    table[Key()] = 1
