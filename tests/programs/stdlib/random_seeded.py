# A seeded generator gives the numbers CPython gives everywhere.
import random
random.seed(42)
first = [random.random(), random.randint(1, 100), random.choice("abc"), random.sample(range(100), 3)]
generator = random.Random("text seed")
deck = list(range(5))
generator.shuffle(deck)
first, deck, round(generator.gauss(0, 1), 12), generator.getrandbits(70), random.Random(1).randbytes(4).hex()
