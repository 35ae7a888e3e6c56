# Functions, comprehensions and classes share the program's globals, as in a script.
count = 0
def bump():
    global count
    count += 1
    return count
class C:
    n = bump()
    squares = [k * count for k in range(3)]
exec("bumped = bump()")
[eval("count"), [count for _ in range(2)], C.n, C.squares, bumped]
