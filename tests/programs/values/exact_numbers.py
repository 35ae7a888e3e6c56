# Decimals and fractions are text, complex numbers have two parts.
from decimal import Decimal
from fractions import Fraction
[Decimal("1.10"), Decimal("NaN"), Fraction(2, 6), 3 - 4j, complex("inf")]
