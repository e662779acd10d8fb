import socket
made = 0
try:
    for _ in range(5000):
        a, b = socket.socketpair()
        socket.send_fds(a, [b"x"], [a.fileno(), b.fileno()] + [os.open("/dev/null", os.O_RDONLY) for _ in range(1)])
        a.detach()
        b.detach()
        made += 1
except OSError as e:
    refused("15,000 descriptors in flight", "%s after %d" % (e.strerror, made))
else:
    breached("15,000 descriptors in flight", made)
