# It goes on writing when its parent has ended.
import time
if os.fork() == 0:
    while True:
        try:
            os.write(1, b"late\n")
            os.write(3, b"late\n")
        except OSError:
            pass
        time.sleep(.001)
held("a child that writes", "ends with its parent")
