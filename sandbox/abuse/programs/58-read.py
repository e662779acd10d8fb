# Pages that are only read are the zero page, their tables are not.
import mmap
maps = []
try:
    while len(maps) < 4000:
        m = mmap.mmap(-1, 64 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000, prot=mmap.PROT_READ)
        for at in range(0, len(m), 2 << 20):
            m[at]
        maps.append(m)
except OSError as e:
    refused("250 GB of maps to read", "%s after %d" % (e.strerror, len(maps)))
else:
    breached("250 GB of maps to read", len(maps))
