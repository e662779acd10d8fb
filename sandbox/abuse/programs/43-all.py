# status: ok, killed
# A group that it leads is its own to kill.
import signal
for what, pid in (("everything", -1), ("the group", 0), ("itself as init", 1)):
    for sig in (signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP):
        if pid == 1 and os.getpid() != 1:
            attempt("signal %d to process 1" % sig, os.kill, 1, sig)
            continue
        try:
            os.kill(pid, sig)
        except OSError as e:
            refused("%d to %s" % (sig, what), e.strerror)
        else:
            held("%d to %s" % (sig, what), "reaches its own processes alone")
