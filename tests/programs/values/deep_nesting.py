# Nesting beyond what JSON readers take: the repr is shortened, JSON is absent.
value = 0
for _ in range(70):
    value = [value]
value
