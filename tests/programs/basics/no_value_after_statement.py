# A program that ends in a statement has no value.
x = 20
