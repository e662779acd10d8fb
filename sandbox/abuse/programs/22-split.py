# A character in pieces, between which the supervisor reads.
import time
for b in "\U0001f600".encode():
    os.write(1, bytes([b]))
    time.sleep(.05)
os.write(1, b"\n")
held("a character in pieces", "is read as one")
