# limits: files=64k
with open("big.txt", "w") as file:
    for number in range(100_000):
        file.write(f"line {number}\n")
