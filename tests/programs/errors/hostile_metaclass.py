# The class of the exception has a metaclass that lies about its name.
class Meta(type):
    __name__ = property(lambda cls: 1 / 0)
    __module__ = "elsewhere"
    def __repr__(cls):
        raise SystemExit
class Strange(Exception, metaclass=Meta):
    pass
raise Strange("odd")
