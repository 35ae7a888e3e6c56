def deco(function):
    raise TypeError("cannot decorate")
@deco
def f():
    pass
