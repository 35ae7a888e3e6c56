# requirement: tomlkit
# imports: tomlkit
import tomlkit

document = tomlkit.parse("a = 1 # one\n")
document["a"] = 2
assert tomlkit.dumps(document) == "a = 2 # one\n"
