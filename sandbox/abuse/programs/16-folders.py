for folder in ("/tmp", "/session", "/dev/shm", "/"):
    try:
        with open(os.path.join(folder, "medgym-abuse"), "wb") as f:
            for _ in range(64):
                f.write(bytes(1 << 20))
                f.flush()
    except OSError as e:
        refused("64 MB in " + folder, e.strerror)
    else:
        breached("64 MB in " + folder, "written")
for folder in ("/workdir", "/data", "/var/tmp", "/run", "/dev", "/.sessions", "/opt/medgym", "/etc", "/usr", "/home", "/root"):
    attempt("a file in " + folder, open, os.path.join(folder, "medgym-abuse"), "w")
