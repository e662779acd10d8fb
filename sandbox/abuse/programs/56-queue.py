# Queued signals are kernel memory, and limited.
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGRTMIN})
sent = 0
info = ctypes.c_long(0)
while sent < 1 << 20 and libc.sigqueue(os.getpid(), int(signal.SIGRTMIN), info) == 0:
    sent += 1
verdict("queued signals", sent < 1 << 20, sent)
