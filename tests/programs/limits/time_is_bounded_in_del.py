# limits: timeout=300ms
class Stubborn:
    def __del__(self):
        while True: pass
Stubborn()
