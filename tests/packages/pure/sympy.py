# requirement: sympy
# imports: sympy
import sympy

x = sympy.symbols("x")
assert str(sympy.integrate(sympy.sin(x) * sympy.exp(x), x)) == "exp(x)*sin(x)/2 - exp(x)*cos(x)/2"
assert sympy.solve(x**2 - 2, x) == [-sympy.sqrt(2), sympy.sqrt(2)]
