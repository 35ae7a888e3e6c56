print("no newline", end="")
raise ValueError("after it")
