import signal
for pid in [os.getppid()] + list(range(2, 40)) + [int(canary["pid"])]:
    if pid in (0, os.getpid()):
        refused("a parent", "is not to be seen")
        continue
    attempt("SIGKILL to %d" % pid, os.kill, pid, signal.SIGKILL)
    attempt("SIGSTOP to %d" % pid, os.kill, pid, signal.SIGSTOP)
if os.getpgid(os.getppid()) > 1:  # 1 would be everything, and no error
    attempt("SIGKILL to the parent's group", os.killpg, os.getpgid(os.getppid()), signal.SIGKILL)
attempt("pidfd of the host", os.pidfd_open, int(canary["pid"]))
for fd in range(5):
    import fcntl
    try:
        fcntl.fcntl(fd, fcntl.F_SETOWN, int(canary["pid"]))
    except OSError as e:
        refused("owner of a descriptor's signals", e.strerror)
    else:
        held("owner of a descriptor's signals", "no process outside is told")
