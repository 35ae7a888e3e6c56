# A database in memory and in a file, with transactions, functions, JSON and full-text search.
import sqlite3
db = sqlite3.connect(":memory:")
db.execute("create table sales (region text, amount real)")
db.executemany("insert into sales values (?, ?)", [("north", 10.5), ("south", 20), ("north", 4.5)])
db.create_function("double", 1, lambda x: x * 2)
db.row_factory = sqlite3.Row
rows = [dict(row) for row in db.execute("select region, sum(amount) total, double(count(*)) n from sales group by region order by region")]
ranked = [tuple(row) for row in db.execute("select region, row_number() over (order by amount desc) from sales")]
db.execute("create virtual table notes using fts5(body)")
db.execute("insert into notes values ('the quick brown fox'), ('lazy dogs')")
found = [row[0] for row in db.execute("select body from notes where notes match 'quick'")]
with sqlite3.connect("kept.db") as kept:
    kept.execute("create table t (x unique)")
    kept.execute("insert into t values (json_extract('{\"a\": [1, 2]}', '$.a[1]'))")
try:
    with kept:
        kept.execute("insert into t values (3)")
        kept.execute("insert into t values (2)")
except sqlite3.IntegrityError as error:
    print(error)
kept.close()
again = sqlite3.connect("kept.db")
rows, ranked, found, again.execute("select * from t").fetchall(), again.execute("pragma integrity_check").fetchone()[0]
