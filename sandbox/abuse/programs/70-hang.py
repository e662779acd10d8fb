# status: timeout
# wall: 500ms
# Its values are asked for, and it does not answer.
class Hang(dict):
    def __del__(self):
        while True:
            pass
import atexit
import threading
threading.Thread(target=lambda: [None for _ in iter(int, 1)]).start()
