# Of a chain of a hundred errors the most recent are shown.
error = None
for number in range(100):
    try:
        raise ValueError(number) from error
    except ValueError as caught:
        error = caught
raise error
