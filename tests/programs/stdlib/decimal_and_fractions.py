# Exact arithmetic, with context, rounding and traps.
from decimal import Decimal, getcontext, localcontext, ROUND_HALF_EVEN, InvalidOperation
from fractions import Fraction
getcontext().prec = 50
with localcontext() as context:
    context.prec = 6
    short = Decimal(2).sqrt()
try:
    Decimal("x")
except InvalidOperation as error:
    print(repr(error))
[Decimal(1) / 7, short, Decimal("2.675").quantize(Decimal("0.01"), ROUND_HALF_EVEN), Decimal("0.1") + Decimal("0.2"), Decimal(2).ln(), Fraction(1, 3) + Fraction(1, 6), Fraction("0.125"), f"{Decimal('1234567.891'):,.2f}"]
