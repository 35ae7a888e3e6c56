# A hundred thousand opens and closes; those left to the collector are closed by it.
for number in range(20_000):
    open("/tmp/x", "w").close()
for number in range(5_000):
    open("/tmp/x")
"survived"
