# status: timeout
# The soft limit of CPU time ends nobody who handles its signal.
import signal
signal.signal(signal.SIGXCPU, lambda *a: None)
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
