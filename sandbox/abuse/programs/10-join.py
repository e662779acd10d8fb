# status: timeout
# wall: 500ms
# A join of the database that never yields a row.
import sqlite3
db = sqlite3.connect(":memory:")
db.execute("with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n").fetchone()
