# status: memory
import time
for _ in range(8):
    if os.fork() == 0:
        x = bytearray(b"x") * (100 << 20)
        time.sleep(60)
time.sleep(60)
