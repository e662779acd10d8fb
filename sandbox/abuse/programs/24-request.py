# What is left of the request is its own, and nothing of another's.
try:
    os.lseek(4, 0, 0)
    text = os.read(4, 1 << 20)
except OSError as e:
    refused("the request", e.strerror)
else:
    verdict("the request", MARK not in text, "%d bytes of its own" % len(text))
