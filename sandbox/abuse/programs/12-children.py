# status: memory
import mmap
import time
for n in range(8):
    if os.fork() == 0:
        x = mmap.mmap(-1, 100 << 20)
        for i in range(0, len(x), 4096):
            x[i] = 1
        time.sleep(60)
time.sleep(60)
