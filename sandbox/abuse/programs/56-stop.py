# status: ok, timeout
# wall: 500ms
# Process 1 of its namespace cannot stop itself; elsewhere the limit ends it.
import signal
for sig in (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
    os.kill(os.getpid(), sig)
held("stop of itself", "goes on")
