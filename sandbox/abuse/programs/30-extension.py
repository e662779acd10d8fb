import sqlite3
db = sqlite3.connect(":memory:")
try:
    db.enable_load_extension(True)
    db.execute("select load_extension('/data/database.sqlite')")
except (sqlite3.Error, AttributeError) as e:
    refused("load an extension", e)
else:
    breached("load an extension", "done")
