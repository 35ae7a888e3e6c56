# A list that holds itself.
a = [1]
a.append(a)
a
