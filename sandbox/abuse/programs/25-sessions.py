# The neighbour's work folder and data, by the places where they are kept.
for name in ("/.sessions", "/.sessions/s1", "/.sessions/s1/theirs", "/.sessions/../.sessions/s2", "/.host", "/.host/etc", "/.old", "/oldroot", "/data/theirs.csv", "/workdir/theirs.txt", "/session/theirs", "/session/../session/theirs"):
    try:
        got = os.listdir(name) if os.path.isdir(name) else open(name).read()
    except OSError as e:
        refused(name, e.strerror)
    else:
        verdict(name, not got, got)
