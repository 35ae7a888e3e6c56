# limits: output=1k
# Of output beyond the limit the beginning and the end are kept.
for number in range(1000):
    print("line", number)
