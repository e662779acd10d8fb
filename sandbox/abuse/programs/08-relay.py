# status: timeout
# Each child computes for a moment only, and its parent never.
import time
while True:
    if os.fork() == 0:
        end = time.process_time() + .3
        while time.process_time() < end:
            pass
        os._exit(0)
    os.wait()
