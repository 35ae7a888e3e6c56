# A traceback points at the failing part of the line, through several functions.
def ratio(a, b):
    return a / b

def mean(numbers):
    return ratio(sum(numbers), len(numbers))

print("before")
result = mean([]) + mean([1])
