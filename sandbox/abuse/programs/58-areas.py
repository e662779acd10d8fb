# status: ok, memory
# A map of one page each, up to the number that a process may have.
import mmap
maps = []
try:
    while len(maps) < 200000:
        maps.append(mmap.mmap(-1, 4096, prot=1 + len(maps) % 2 * 2))
except OSError as e:
    refused("200,000 maps", "%s after %d" % (e.strerror, len(maps)))
else:
    breached("200,000 maps", len(maps))
