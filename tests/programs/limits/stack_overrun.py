# Where CPython itself has no check (the hash of a deep tuple), the guest's stack runs over: this run crashes, and no other.
value = ()
for _ in range(1_000_000):
    value = (value,)
print("made")
hash(value)
