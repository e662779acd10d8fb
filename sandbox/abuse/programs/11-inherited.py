# status: memory, killed
# It writes to what it inherited: a page that was shared becomes its own.
import ctypes
import mmap
import scipy.stats
for line in open("/proc/self/maps").read().splitlines():
    span, mode = line.split()[:2]
    a, b = (int(x, 16) for x in span.split("-"))
    if mode.startswith("rw") and "[stack]" not in line:
        for at in range(a, b, 4096):
            ctypes.c_char.from_address(at).value = ctypes.c_char.from_address(at).value
x = []
while True:
    x.append(bytes(1 << 20))
