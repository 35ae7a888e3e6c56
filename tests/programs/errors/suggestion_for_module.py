# So is the hint for a standard module that was not imported.
print(json.dumps(1))
