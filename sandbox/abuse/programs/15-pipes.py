import fcntl
pipes, most = [], 0
try:
    while True:
        a, b = os.pipe()
        pipes.append((a, b))
        try:
            fcntl.fcntl(b, 1031, 1 << 20)
        except OSError:
            pass
        os.set_blocking(b, False)
        try:
            while True:
                most += os.write(b, bytes(1 << 16))
        except BlockingIOError:
            pass
except OSError as e:
    refused("more pipes", "%s after %d with %d KiB" % (e.strerror, len(pipes), most >> 10))
