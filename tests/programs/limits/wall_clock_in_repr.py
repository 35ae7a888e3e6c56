# limits: timeout=200ms
# While the value is rendered, too.
class Slow:
    def __repr__(self):
        while True: pass
Slow()
