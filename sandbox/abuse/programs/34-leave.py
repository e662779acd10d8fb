# A listener by an abstract name ends with its program: the next one finds no word.
import socket
for n in range(50):
    s = socket.socket(socket.AF_UNIX)
    try:
        s.bind("\0medgym-abuse-%d" % n)
        s.listen()
    except OSError as e:
        breached("a name of an earlier program", e)
    if os.fork() == 0:
        import time
        os.setsid()
        time.sleep(60)
    if n == 10:
        break
held("a listener by an abstract name", "ends with its program")
