# Attributes are kernel memory where the file system keeps them there.
kept = 0
open("/session/x", "w").close()
try:
    for n in range(10000):
        os.setxattr("/session/x", "user.x%d" % n, bytes(60000))
        kept += 60000
        if kept > 64 << 20:
            break
except OSError as e:
    refused("64 MB of attributes", "%s after %d KiB" % (e.strerror, kept >> 10))
else:
    breached("64 MB of attributes", kept)
