# status: timeout
# wall: 500ms
# A thread that never ends, which the end of the interpreter waits for.
import threading
def never():
    while True:
        pass
threading.Thread(target=never).start()
