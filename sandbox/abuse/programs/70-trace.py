# A trace function sees the frames of those who called the program.
names = []
frame = sys._getframe()
while frame.f_back is not None:
    frame = frame.f_back
    names.append(frame.f_code.co_name)
    for key, value in list(frame.f_locals.items()):
        if isinstance(value, (bytes, bytearray)) and MARK in value or isinstance(value, str) and MARK.decode() in value:
            breached("a caller's variable", key)
held("frames of its callers", ",".join(names))
import threading
def tracer(frame, event, arg):
    raise SystemExit(0)
threading.settrace(tracer)
