# Top-level await is allowed; in a plain function it is the error it always was.
def f():
    await g()
