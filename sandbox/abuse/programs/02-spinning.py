# status: timeout
# Threads that compute count together.
import hashlib
import threading
threading.stack_size(256 << 10)
def spin():
    data = bytes(1 << 16)
    while True:
        hashlib.sha256(data)
for _ in range(8):
    threading.Thread(target=spin).start()
