import select
import socket
def hoard(what, make, most):
    kept = []
    try:
        for _ in range(most):
            kept.append(make())
    except OSError as e:
        refused("%d %s" % (most, what), "%s after %d" % (e.strerror, len(kept)))
    else:
        breached("%d %s" % (most, what), len(kept))
    for k in kept:
        k.close() if hasattr(k, "close") else os.close(k)
hoard("epolls", select.epoll, 5000)
hoard("eventfds", lambda: os.eventfd(0), 5000)
def by_number(number, *args):
    fd = libc.syscall(ctypes.c_long(number), *args)
    if fd < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return fd
hoard("timerfds", lambda: by_number(283, 1, 0), 5000)
hoard("inotifies", lambda: by_number(294, 0), 5000)
hoard("signalfds", lambda: by_number(289, -1, ctypes.byref(ctypes.c_ulonglong(1)), 8, 0), 5000)
hoard("descriptors", lambda: os.open("/dev/null", os.O_RDONLY), 5000)
hoard("sockets", socket.socket, 5000)
hoard("directories", lambda: os.open("/", os.O_RDONLY), 5000)
