import atexit
import gc
import signal
import threading
import weakref
class Late:
    def __del__(self):
        os.write(1, b"BREACHED a destructor: it runs after the end\n") if late else None
late = False
kept = Late()
kept.self = kept
atexit.register(lambda: [os.fork() for _ in range(3)])
sys.excepthook = sys.unraisablehook = lambda *a: os._exit(3)
threading.excepthook = lambda *a: os._exit(4)
sys.setprofile(None)
gc.callbacks.append(lambda *a: None)
held("hooks at the end", "run in the program, if at all")
