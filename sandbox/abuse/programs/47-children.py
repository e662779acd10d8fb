import signal
for sig in (signal.SIGSEGV, signal.SIGABRT, signal.SIGILL, signal.SIGBUS, signal.SIGFPE, signal.SIGQUIT):
    pid = os.fork()
    if pid == 0:
        os.chdir("/session")
        os.kill(os.getpid(), sig)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    cores = [n for n in os.listdir("/session") if "core" in n and os.path.getsize("/session/" + n) > 4096]
    verdict("signal %d" % sig, os.WIFSIGNALED(status) and not cores, "dies, %s" % (cores or "no core"))
