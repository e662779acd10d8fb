# status: memory, error
import mmap
x = []
while True:
    m = mmap.mmap(-1, 16 << 20, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS | 0x4000)
    for i in range(0, len(m), 4096):
        m[i] = 1
    x.append(m)
