# requirement: tinydb
# imports: tinydb
import tinydb

database = tinydb.TinyDB("/tmp/db.json")
database.insert({"name": "a", "n": 1})
assert database.search(tinydb.Query().n == 1) == [{"name": "a", "n": 1}]
