# outside: breaks
def made(what, got, remove):
    if got == -1:
        refused(what, os.strerror(ctypes.get_errno()))
    else:
        breached(what, got)
        remove(got)
made("shmget", libc.shmget(0, 4096, 0o1600), lambda i: libc.shmctl(i, 0, None))
made("shmget by number", libc.syscall(ctypes.c_long(29), 0, ctypes.c_long(4096), 0o1600), lambda i: libc.shmctl(i, 0, None))
made("msgget", libc.msgget(0, 0o1600), lambda i: libc.msgctl(i, 0, None))
made("semget", libc.semget(0, 1, 0o1600), lambda i: libc.semctl(i, 0, 0))
made("mq_open", libc.syscall(ctypes.c_long(240), b"medgym-abuse", 0o102, 0o600, None), lambda i: libc.syscall(ctypes.c_long(241), b"medgym-abuse"))
