# requirement: sqlalchemy
# imports: sqlalchemy, sqlalchemy.orm
# note: greenlet, which its metadata asks for on some machines, is needed for its asyncio extension only
import sqlalchemy
import sqlalchemy.orm

engine = sqlalchemy.create_engine("sqlite://")
metadata = sqlalchemy.MetaData()
table = sqlalchemy.Table("t", metadata, sqlalchemy.Column("id", sqlalchemy.Integer, primary_key=True), sqlalchemy.Column("s", sqlalchemy.String))
metadata.create_all(engine)
with engine.begin() as connection:
    connection.execute(table.insert(), [{"s": "a"}, {"s": "b"}])
    assert connection.execute(sqlalchemy.select(table.c.s).order_by(table.c.id.desc())).scalars().all() == ["b", "a"]
