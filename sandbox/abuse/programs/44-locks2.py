# The same once more: what the program before has locked is free.
import fcntl
for name in ["/data/database.sqlite", "/workdir/data.csv", "/etc/passwd", "/bin/sh", "/dev/null"]:
    with open(name, "rb") as f:
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            if e.errno == errno.EWOULDBLOCK:
                breached("a lock that another program left on " + name, e.strerror)
            else:
                refused("a lock on " + name, e.strerror)
        else:
            held("a lock on " + name, "is free again")
