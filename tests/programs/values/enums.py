# Members of enumerations are their values.
import enum
class Color(enum.Enum):
    RED = 1
    GREEN = "green"
class Permission(enum.Flag):
    R = 4
    W = 2
class Level(enum.IntEnum):
    LOW = 1
[Color.RED, Color.GREEN, Permission.R | Permission.W, Level.LOW, {"level": Level.LOW}]
