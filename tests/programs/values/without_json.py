# What has no natural JSON form has a repr only.
import re
class Thing:
    def __repr__(self):
        return "<a thing>"
Thing()
