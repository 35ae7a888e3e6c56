# limits: fuel=20000000
sorted(range(10**7), key=lambda x: -x)
