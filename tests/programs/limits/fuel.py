# limits: fuel=20000000
# The instruction budget.
print("before")
n = 0
while True:
    n += 1
