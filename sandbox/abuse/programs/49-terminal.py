import fcntl
for name, number in (("TIOCSTI", 0x5412), ("TIOCLINUX", 0x541C), ("TIOCSTI with high bits", 0x5412 | 1 << 32), ("TIOCLINUX with high bits", 0x541C | 7 << 32)):
    for fd in range(3):
        ctypes.set_errno(0)
        got = libc.ioctl(fd, ctypes.c_ulong(number), b"x")
        (breached if got == 0 else refused)("%s on %d" % (name, fd), os.strerror(ctypes.get_errno()))
for name in ("/dev/tty", "/dev/console", "/dev/tty0", "/dev/vcs", "/dev/ttyS0"):
    attempt(name, os.open, name, os.O_RDWR)
try:
    a, b = os.openpty()
except OSError as e:
    refused("a terminal of its own", e.strerror)
else:
    ctypes.set_errno(0)
    got = libc.ioctl(b, ctypes.c_ulong(0x5412), b"x")
    (breached if got == 0 else refused)("input of a terminal of its own", os.strerror(ctypes.get_errno()))
attempt("the controlling terminal", os.open, "/dev/tty", os.O_RDWR)
