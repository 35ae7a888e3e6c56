# Generators, coroutines and async generators that refuse to end.
def stubborn():
    while True:
        try:
            yield
        except GeneratorExit:
            print("no")
            return
held = stubborn()
next(held)
async def worse():
    try:
        await Never()
    finally:
        raise KeyboardInterrupt
class Never:
    def __await__(self):
        yield
coroutine = worse()
coroutine.send(None)
def very():
    try:
        yield
    finally:
        yield "still here"
third = very()
next(third)
del third, held
"end"
