# A private map of a package's file that is made shared, and the file by its descriptor.
import mmap
import random as package
fd = os.open(package.__file__, os.O_RDONLY)
try:
    m = mmap.mmap(fd, 0, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ | mmap.PROT_WRITE)
except OSError as e:
    refused("a shared map that is written to", e.strerror)
else:
    breached("a shared map that is written to", m)
m = mmap.mmap(fd, 0, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)
attempt("open by /proc/self/fd", os.open, "/proc/self/fd/%d" % fd, os.O_RDWR)
attempt("fchmod", os.fchmod, fd, 0o777)
attempt("ftruncate", os.ftruncate, fd, 0)
for line in open("/proc/self/maps").read().splitlines():
    if line.endswith("/random.py"):
        at = int(line.split("-")[0], 16)
        call("mprotect of a shared map", "mprotect", ctypes.c_void_p(at), 4096, 3)
