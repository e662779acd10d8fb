# Locks on files that sessions share pass a bit between programs of one moment: what
# can be locked is told, and that no lock outlives its program.
import fcntl
import glob
for name in ["/data/database.sqlite", "/workdir/data.csv", "/etc/passwd", "/bin/sh", "/opt/medgym/zygote.py", "/dev/null"]:
    with open(name, "rb") as f:
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            if e.errno == errno.EWOULDBLOCK:
                breached("a lock that another program left on " + name, e.strerror)
            else:
                refused("a lock on " + name, e.strerror)
        else:
            held("a lock on " + name, "ends with its program")
            os.dup(f.fileno())  # and is kept until then
