# An error in code made at run time.
eval("1 +")
