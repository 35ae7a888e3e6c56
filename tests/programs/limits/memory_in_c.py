# limits: memory=64m
# Doubling text inside C functions.
text = "ab"
while True:
    text = text.replace("a", "aa").replace("b", "bb")
