# Integers within 64 bits are numbers, larger ones text, so that no digit is lost.
[2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1, 2**64, -(2**63) - 1, 10**30]
