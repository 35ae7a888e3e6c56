# __del__ runs when the last reference goes; an error in it is reported and ignored.
class Noisy:
    def __init__(self, name):
        self.name = name
    def __del__(self):
        print("gone:", self.name)
        if self.name == "b":
            raise ValueError("ignored")
a = Noisy("a")
del a
Noisy("b")
print("end")
