# A hundred processes are more than it may have.
import time
made = 0
try:
    for _ in range(100):
        if os.fork() == 0:
            time.sleep(60)
        made += 1
except OSError as e:
    refused("a hundred processes", "%s after %d" % (e.strerror, made))
else:
    breached("a hundred processes", made)
