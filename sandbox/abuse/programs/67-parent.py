# Its child would be its parent's, beyond the namespace whose end is the end of all.
import time
ctypes.set_errno(0)
pid = libc.syscall(56, ctypes.c_ulong(0x8000 | 17), None, None, None, None)
if pid == 0:
    while True:
        time.sleep(60)
if pid < 0:
    refused("CLONE_PARENT", os.strerror(ctypes.get_errno()))
else:
    held("CLONE_PARENT", "the child ends with its namespace")
