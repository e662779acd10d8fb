# A lock of its own can only take away.
import struct
version = libc.syscall(ctypes.c_long(444), None, ctypes.c_size_t(0), 1)
if version < 0:
    refused("landlock", os.strerror(ctypes.get_errno()))
else:
    fd = libc.syscall(ctypes.c_long(444), ctypes.create_string_buffer(struct.pack("=Q", 1 << 13 - 1), 8), ctypes.c_size_t(8), 0)
    if fd >= 0:
        libc.syscall(ctypes.c_long(446), fd, 0)
    held("a landlock of its own", "version %d" % version)
for name in ("/etc/shadow", canary["tmp"]):
    attempt("a file of the host", open, name)
attempt("a file in /workdir", open, "/workdir/x", "w")
