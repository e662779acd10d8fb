import socket
os.chdir("/session")
try:
    for _ in range(2000):
        os.mkdir("d" * 200)
        os.chdir("d" * 200)
except OSError as e:
    refused("a folder 2,000 deep", e.strerror)
os.chdir("/session")
for name in ("x" * 255, "\n\r\x1b[31m", "\udcff\udcfe", " ", "-rf", "..."):
    try:
        open(name, "w").close()
    except OSError as e:
        refused("a name", e.strerror)
    else:
        held("a name of %d bytes" % len(os.fsencode(name)), "stays in its session")
for what, act in (("a FIFO", lambda: os.mkfifo("fifo")), ("a link to the root", lambda: os.symlink("/", "root")),
                  ("a link to itself", lambda: os.symlink("loop", "loop")),
                  ("a socket", lambda: socket.socket(socket.AF_UNIX).bind("socket")), ("a folder that is closed", lambda: os.mkdir("closed", 0))):
    try:
        act()
    except OSError as e:
        refused(what, e.strerror)
    else:
        held(what, "stays in its session")
attempt("a device", os.mknod, "device", 0o20666, os.makedev(1, 3))
attempt("a disk", os.mknod, "disk", 0o60666, os.makedev(8, 0))
