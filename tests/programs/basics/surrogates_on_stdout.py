# Lone surrogates cannot be written as UTF-8; with the usual error handler that is an error of the program.
print("\ud800")
