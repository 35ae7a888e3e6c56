# A large integer is printed in full, beyond CPython's own limit of 4300 digits.
10**5000
