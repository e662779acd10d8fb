import sqlite3
path = "/data/database.sqlite"
def change(uri, statement):
    db = sqlite3.connect(uri, uri=True)
    try:
        with db:
            db.execute(statement)
    finally:
        db.close()
for what, uri in (("as it is", path), ("read-write", "file:%s?mode=rw" % path), ("immutable", "file:%s?mode=rw&immutable=1" % path), ("without locks", "file:%s?nolock=1" % path)):
    for statement in ("delete from patient", "create table x (y)", "update patient set name = 'x'", "drop table patient"):
        try:
            change(uri, statement)
        except sqlite3.Error as e:
            refused("%s, %s" % (what, statement), e)
        else:
            breached("%s, %s" % (what, statement), "done")
db = sqlite3.connect(path)
for name in ("/etc/shadow", canary["tmp"], "/data/new.sqlite", "/opt/env/new.sqlite", "file:/etc/passwd?mode=rw"):
    try:
        db.execute("attach ? as other", (name,))
        db.execute("create table other.x (y)")
    except sqlite3.Error as e:
        refused("attach " + ("the canary" if name == canary["tmp"] else name), e)
    else:
        breached("attach " + name, "done")
for statement in ("vacuum into '/data/copy.sqlite'", "pragma journal_mode = wal", "pragma writable_schema = on; delete from sqlite_master"):
    try:
        got = db.executescript(statement).fetchall()
        mode = db.execute("pragma journal_mode").fetchone()
        db.commit()
    except sqlite3.Error as e:
        refused(statement, e)
    else:
        verdict(statement, mode == ("delete",), mode)
