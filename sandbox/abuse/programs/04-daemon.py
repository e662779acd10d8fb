import time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for fd in range(10):
            try:
                os.close(fd)
            except OSError:
                pass
        while True:
            time.sleep(.01)
            open("/tmp/medgym-abuse-daemon", "w").close()
    os._exit(0)
held("a daemon", "ends with its ancestor")
