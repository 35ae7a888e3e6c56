# limits: timeout=200ms
# A loop is stopped at the deadline; what was printed is there.
print("before")
while True:
    pass
