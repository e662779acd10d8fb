# status: ok, memory, error
# One page in each 2 MB: a table of the kernel for each.
import mmap
maps = []
try:
    while len(maps) < 4000:
        m = mmap.mmap(-1, 64 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)
        for at in range(0, len(m), 2 << 20):
            m[at] = 1
        maps.append(m)
except OSError as e:
    refused("250 GB of sparse maps", "%s after %d" % (e.strerror, len(maps)))
else:
    breached("250 GB of sparse maps", len(maps))
