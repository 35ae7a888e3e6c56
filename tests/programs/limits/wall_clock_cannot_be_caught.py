# limits: timeout=200ms
# No except, finally or signal handler of the program hears of it.
while True:
    try:
        while True:
            pass
    except BaseException:
        print("never")
    finally:
        print("never")
