# outside: breaks
for pid in (1, os.getppid(), int(canary["pid"])):
    if pid in (0, os.getpid()):
        continue
    for name in ("mem", "maps", "root/etc/shadow", "cwd", "environ", "fd"):
        path = "/proc/%d/%s" % (pid, name)
        attempt(path, (os.listdir if name in ("fd", "cwd") else lambda p: open(p, "rb").read(1)), path)
    attempt("signal %d" % pid, os.kill, pid, 0)
refused("others", "none that is not its own")
