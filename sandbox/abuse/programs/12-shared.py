# status: error, memory
import mmap
x = mmap.mmap(-1, 8 << 30)
for i in range(0, 8 << 30, 4096):
    x[i] = 1
