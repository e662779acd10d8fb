# outside: breaks
import threading
import time
made = 0
try:
    while made < 100:
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        made += 1
except RuntimeError as e:
    refused("a hundred threads", "%s after %d" % (e, made))
else:
    breached("a hundred threads", made)
os._exit(0)
