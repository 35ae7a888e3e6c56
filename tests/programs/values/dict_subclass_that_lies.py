# A dict whose methods lie is read as what it holds.
class Lying(dict):
    def items(self):
        return [("fake", 1)]
    def __len__(self):
        return 10**9
    def __iter__(self):
        while True:
            yield "x"
Lying(real=1)
