import configparser, io, plistlib, tomllib
parser = configparser.ConfigParser()
parser.read_string("[a]\nx = 1\ny = %(x)s2\n[b]\nz: yes\n")
toml = tomllib.loads('title = "T"\nwhen = 2024-01-02T03:04:05Z\n[[items]]\nn = 1\n[[items]]\nn = 0xff\n')
try:
    tomllib.loads("a = ")
except tomllib.TOMLDecodeError as error:
    print(error)
[parser["a"]["y"], parser.getboolean("b", "z"), toml, plistlib.loads(plistlib.dumps({"k": [1, b"x"]}))]
