# A warning of the compiler is shown, and the program runs.
x = 5
print(x is 5, "\d")
