# Floats behave as IEEE 754 says, wherever the host is.
import cmath, math, statistics
[math.fsum([0.1] * 10), math.sqrt(2), math.sin(1e22), math.exp(0), math.gamma(5.5), math.pow(2, 0.5), math.log(10), math.comb(50, 25), math.isqrt(10**20), math.fma(2.0, 3.0, 4.0), math.nextafter(1, 2), cmath.sqrt(-1), statistics.median([3, 1, 2]), statistics.stdev([1, 2, 3, 4]), round(2.5), round(-2.675, 2), divmod(-7, 3), -7 % 3.0, 0.1.hex(), float.fromhex("0x1.8p1"), 2**-1074]
