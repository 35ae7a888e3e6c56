# Floats arrive exactly: the shortest text that reads back as the same number.
[0.1, 0.1 + 0.2, 1 / 3, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 1e23, 9007199254740993.0, 8.41, 123456789.123456789]
