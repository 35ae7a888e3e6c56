# requirement: mpmath
# imports: mpmath
import mpmath

mpmath.mp.dps = 50
assert str(mpmath.pi).startswith("3.14159265358979323846264338327950288419716939937")
