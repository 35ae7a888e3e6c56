# limits: timeout=200ms
10**10**8
