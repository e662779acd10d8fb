# status: ok, killed
# Each generation leaves its parent's session and outlives it for a moment.
import time
if os.fork() == 0:
    for _ in range(200):
        if os.fork():
            os._exit(0)
        os.setsid()
    time.sleep(60)
time.sleep(.2)
held("a chain of orphans", "ends with its ancestor")
