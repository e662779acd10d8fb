import socket
for port in range(8000, 8100):
    try:
        s = socket.create_connection(("127.0.0.1", port), 1)
    except OSError as e:
        refused("what an earlier program left on port %d" % port, e.strerror)
    else:
        breached("what an earlier program left on port %d" % port, s)
