# status: timeout
# wall: 500ms
# A thread that goes on keeps the interpreter from ending.
import threading
import time
threading.Thread(target=time.sleep, args=(600,)).start()
