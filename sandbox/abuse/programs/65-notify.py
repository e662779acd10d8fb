# A helper that would answer another's system calls with its own rights: it has no more.
import struct
class Prog(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
# if the call is mount (165), ask the listener; else allow
code = struct.pack("=HBBI", 0x20, 0, 0, 0) + struct.pack("=HBBI", 0x15, 0, 1, 165) + struct.pack("=HBBI", 6, 0, 0, 0x7FC00000) + struct.pack("=HBBI", 6, 0, 0, 0x7FFF0000)
holder = ctypes.create_string_buffer(code, len(code))
fd = libc.syscall(ctypes.c_long(317), 1, 8, ctypes.byref(Prog(4, ctypes.addressof(holder))))
if fd < 0:
    refused("a listener", os.strerror(ctypes.get_errno()))
# The filter of the sandbox comes first: its refusal stands, and nobody is asked.
call("mount", "mount", b"none", b"/tmp", b"tmpfs", 0, None)
