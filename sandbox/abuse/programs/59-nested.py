# Each closed socket keeps the one before: what no table shows still counts.
import socket
made = 0
a, b = socket.socketpair()
try:
    while made < 20000:
        c, d = socket.socketpair()
        socket.send_fds(c, [b"x"], [a.fileno(), b.fileno()])
        a.close()
        b.close()
        a, b = c, d
        made += 1
except OSError as e:
    refused("20,000 nested sockets", "%s after %d" % (e.strerror, made))
else:
    held("20,000 nested sockets", "end with their program")
