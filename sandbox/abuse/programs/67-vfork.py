# status: timeout, killed
# wall: 500ms
# A vfork whose child never ends: its parent waits in the kernel.
libc.syscall(56, ctypes.c_ulong(0x4000 | 17), None, None, None, None) == 0 and ctypes.CDLL(None).pause()
