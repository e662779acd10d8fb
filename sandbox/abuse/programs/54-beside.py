import sqlite3
path = "/data/database.sqlite"
for end in ("-wal", "-shm", "-journal"):
    attempt("a file " + end, open, path + end, "wb")
    attempt("a link " + end, os.symlink, "/session/x", path + end)
    attempt("a FIFO " + end, os.mkfifo, path + end)
db = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
got = db.execute("select count(*) from patient").fetchone()
verdict("the database", got == (1,), got)
