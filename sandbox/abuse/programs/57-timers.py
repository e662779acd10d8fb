# POSIX timers are held to the number of signals that may be pending.
made = 0
timer = ctypes.c_void_p()
while made < 1 << 18 and libc.syscall(222, 1, None, ctypes.byref(timer)) == 0:
    made += 1
verdict("timers", made < 1 << 18, made)
