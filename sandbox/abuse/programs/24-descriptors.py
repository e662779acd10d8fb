# outside: breaks
import stat
if not os.path.isdir("/session"):
    leaked = os.open("/", os.O_RDONLY)
for name in sorted(os.listdir("/proc/self/fd"), key=int):
    fd = int(name)
    try:
        info = os.fstat(fd)
    except OSError:
        continue  # that of the listing itself
    kind = stat.S_IFMT(info.st_mode)
    link = os.readlink("/proc/self/fd/" + name)
    harmless = fd <= 3 and (kind == stat.S_IFIFO or link == "/dev/null") or fd == 4 and "request" in link
    verdict("descriptor %d" % fd, harmless, link)
for fd in range(5, 1024):
    try:
        os.fstat(fd)
    except OSError:
        continue
    breached("descriptor %d" % fd, os.readlink("/proc/self/fd/%d" % fd))
refused("descriptors from 5", "closed")
