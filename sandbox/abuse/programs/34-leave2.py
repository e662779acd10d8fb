import socket
for n in range(50):
    s = socket.socket(socket.AF_UNIX)
    try:
        s.connect("\0medgym-abuse-%d" % n)
    except OSError as e:
        refused("what an earlier program left", e.strerror)
    else:
        breached("what an earlier program left", n)
