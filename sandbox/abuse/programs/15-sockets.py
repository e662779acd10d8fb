# status: memory, killed
# gap: memory, ok
# Megabytes in each of many sockets, which no process maps.
import socket
pairs, most = [], 0
try:
    while most < (200 << 20 if "memory: " in canary["gaps"] else 1600 << 20):
        a, b = socket.socketpair()
        pairs.append((a, b))
        a.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 24)
        a.setblocking(False)
        try:
            while True:
                most += a.send(bytes(1 << 16))
        except BlockingIOError:
            pass
except OSError as e:
    refused("more sockets", "%s after %d" % (e.strerror, len(pairs)))
held("memory in sockets", "%d KiB" % (most >> 10))
