# outside: breaks
for name, policy in (("FIFO", os.SCHED_FIFO), ("round robin", os.SCHED_RR)):
    attempt(name, os.sched_setscheduler, 0, policy, os.sched_param(1))
import struct
call("deadline", 314, 0, ctypes.create_string_buffer(struct.pack("=IIQiIQQQ", 48, 6, 0, 0, 0, 10 ** 7, 10 ** 8, 10 ** 8), 48), 0)
if os.path.isdir("/session"):  # nowhere else
    attempt("the affinity of others", os.sched_setaffinity, int(canary["pid"]), {0})
