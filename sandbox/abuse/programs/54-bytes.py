# The header says WAL, by a write past SQLite.
attempt("write to the header", lambda: os.pwrite(os.open("/data/database.sqlite", os.O_RDWR), b"\x02\x02", 18))
fd = os.open("/data/database.sqlite", os.O_RDONLY)
attempt("by its descriptor", lambda: os.open("/proc/self/fd/%d" % fd, os.O_RDWR))
attempt("by a descriptor to read", os.pwrite, fd, b"\x02", 18)
