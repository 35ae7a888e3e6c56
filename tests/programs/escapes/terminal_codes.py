# Terminal control sequences are data; what shows them decides what to do with them.
print("\x1b[2J\x1b]0;title\x07\x1b[31mred\x1b[0m\x9b5n\x08\r")
"\x1b[8m hidden"
