# As accurate as on other platforms: these are the doubles nearest to the exact values.
import math
values = [math.exp(1), math.exp(-1), math.exp(0.5), math.exp(10), math.exp(-745.1), math.exp(709.78), math.exp(1e-20), math.log(10), math.log(2), math.log(3), math.log(0.1), math.log(5e-324), math.log(1 + 2**-52), math.exp2(0.5), math.exp2(-1074), math.exp2(1023.9)]
print(*values, sep="\n")
print(math.exp(-math.inf), math.exp(math.inf), math.exp(math.nan), math.exp2(-math.inf), math.exp(-800), math.log(math.inf), math.log(1))
for call in (lambda: math.exp(710), lambda: math.exp2(1024), lambda: math.log(0), lambda: math.log(-1)):
    try:
        print(call())
    except (OverflowError, ValueError) as error:
        print(type(error).__name__, error)
worst = max(abs(math.exp(x / 37) * math.exp(-x / 37) - 1) for x in range(-20000, 20000))
worst < 4e-16, [math.exp(k * math.log(2)) == 2**k for k in (0, 1, -1)]
