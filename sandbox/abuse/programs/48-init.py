# status: killed, ok
import signal
import threading
held("its own init", "is killed with all that it started")
threading.Thread(target=lambda: os._exit(0)).start()
os.kill(os.getpid(), signal.SIGKILL)
