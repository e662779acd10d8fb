# Frames of the control socket, on whatever descriptor there is.
import struct
frame = json.dumps({"op": "done", "exit_code": 0, "reason": "", "signal": 0, "sizes": [0, 0, 0], "wall": 0, "cpu": 0}).encode()
for fd in range(3, 64):
    try:
        os.write(fd, struct.pack(">I", len(frame)) + frame)
    except OSError as e:
        if fd != 3:
            refused("descriptor %d" % fd, e.strerror)
    else:
        if fd != 3:
            breached("descriptor %d" % fd, "takes a frame")
