# Source with Windows line ends, a form feed and tabs.
if True:
	x = 1


text = """a
b"""
[x, text]
