# status: timeout
# wall: 500ms
import time
while True:
    time.sleep(600)
