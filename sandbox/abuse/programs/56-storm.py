# status: timeout
# wall: 500ms
import signal
signal.signal(signal.SIGUSR1, lambda *a: None)
parent = os.getpid()
for _ in range(8):
    if os.fork() == 0:
        while True:
            os.kill(parent, signal.SIGUSR1)
while True:
    pass
