# Inside of the library: its read-only data and code, by mprotect.
import numpy
import numpy.core._multiarray_umath as native
pages = 0
for line in open("/proc/self/maps").read().splitlines():
    if "_multiarray_umath" in line:
        a, b = (int(x, 16) for x in line.split()[0].split("-"))
        if libc.mprotect(ctypes.c_void_p(a), ctypes.c_size_t(b - a), 7) == 0 and "r-x" not in line:
            ctypes.memset(a, 0xcc, b - a)
            pages += (b - a) // 4096
held("%d pages of numpy overwritten" % pages, "in this process alone")
os._exit(0)
