# What __repr__ prints is output of the program.
class Chatty:
    def __repr__(self):
        print("being looked at")
        return "Chatty()"
Chatty()
