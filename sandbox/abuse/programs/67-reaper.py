import time
libc.prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
libc.prctl(1, 0, 0, 0, 0)  # PR_SET_PDEATHSIG off
for _ in range(3):
    if os.fork() == 0:
        if os.fork() == 0:
            libc.prctl(1, 0, 0, 0, 0)
            time.sleep(600)
        os._exit(0)
held("orphans of its own", "end with it")
