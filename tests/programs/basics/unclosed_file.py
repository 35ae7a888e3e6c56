# A file that was never closed has its content all the same once the last reference is gone.
file = open("notes.txt", "w")
file.write("text")
del file
open("notes.txt").read()
