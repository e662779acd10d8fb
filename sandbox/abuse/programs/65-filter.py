import struct
class Prog(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
allow = ctypes.create_string_buffer(struct.pack("=HBBI", 6, 0, 0, 0x7FFF0000), 8)
prog = Prog(1, ctypes.addressof(allow))
mode = [l for l in open("/proc/self/status") if l.startswith("Seccomp:")]
verdict("the filter", mode and mode[0].split()[1] == "2", mode)
libc.prctl(22, 2, ctypes.byref(prog), 0, 0)
call("unshare under a filter that allows", "unshare", 0x10000000)
call("seccomp off", "prctl", 22, 0, None, 0, 0)
fd = libc.syscall(ctypes.c_long(317), 1, 8, ctypes.byref(prog))
if fd >= 0:
    held("a listener of system calls", "may answer only for what the first filter lets through")
else:
    refused("a listener of system calls", os.strerror(ctypes.get_errno()))
call("unshare with a listener", "unshare", 0x20000) if fd < 0 else refused("unshare with a listener", "not asked: it would hang")
attempt("no_new_privs off", lambda: (libc.prctl(38, 0, 0, 0, 0) == 0) or (_ for _ in ()).throw(OSError(1, "refused")))
