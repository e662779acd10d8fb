# status: timeout
# wall: 500ms
# Its streams are closed: their end is not its end.
import time
os.closerange(0, 10)
time.sleep(600)
