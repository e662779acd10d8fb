import signal
for sig in (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN):
    for _ in range(5):
        if os.fork() == 0:
            os.kill(os.getpid(), sig)
            signal.pause()
held("stopped children", "end with their parent")
