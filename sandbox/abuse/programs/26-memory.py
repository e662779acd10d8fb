# Its own memory, which was the zygote's: nothing of the host or of another session.
try:
    open("/proc/self/mem", "r+b", 0).close()
    held("/proc/self/mem", "is its own")
except OSError as e:
    refused("/proc/self/mem", e.strerror)
found = spans = 0
for line in open("/proc/self/maps").read().splitlines():
    span, mode = line.split()[:2]
    if mode.startswith("rw") and "[v" not in line:
        a, b = (int(x, 16) for x in span.split("-"))
        for at in range(a, b, 1 << 22):
            text = ctypes.string_at(at, min(1 << 22, b - at))
            spans += 1
            i = text.find(MARK)
            while i >= 0:
                tail = text[i + len(MARK):i + len(MARK) + 26]
                found += len(tail) == 26 and tail.isalnum()
                i = text.find(MARK, i + 1)
            del text
verdict("its own memory", spans > 0 and not found, "%d spans, %d canaries" % (spans, found))
