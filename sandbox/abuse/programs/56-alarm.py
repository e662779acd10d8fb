# status: ok, killed, timeout
import signal
import time
signal.signal(signal.SIGALRM, lambda *a: None)
signal.setitimer(signal.ITIMER_REAL, 1e-6, 1e-6)
end = time.monotonic() + .3
while time.monotonic() < end:
    pass
signal.setitimer(signal.ITIMER_REAL, 0)
held("a million alarms a second", "reach it alone")
