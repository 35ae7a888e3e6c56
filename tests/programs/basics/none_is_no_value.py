# An expression that is None gives no value, as in an interactive session.
print("printed")
