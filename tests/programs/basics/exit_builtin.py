# exit() and quit() are there as in an interactive session.
print(exit, quit)
exit(4)
