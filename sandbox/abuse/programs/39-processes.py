# outside: breaks
import struct
import time
child = os.fork()
if child == 0:
    time.sleep(60)
time.sleep(.05)
for what, pid in (("its child", child), ("process 1", 1)) if os.path.isdir("/session") else (("its child", child),):
    call("ptrace of " + what, "ptrace", 16, pid, None, None)
    call("seize of " + what, "ptrace", 0x4206, pid, None, None)
    buf = ctypes.create_string_buffer(8)
    local = ctypes.create_string_buffer(struct.pack("=QQ", ctypes.addressof(buf), 8), 16)
    call("process_vm_readv of " + what, 310, pid, local, 1, local, 1, 0)
    call("process_vm_writev of " + what, 311, pid, local, 1, local, 1, 0)
    call("kcmp with " + what, 312, pid, os.getpid(), 2, 0, 0)
    try:
        fd = os.pidfd_open(pid)
    except OSError as e:
        refused("pidfd_open of " + what, e.strerror)
        continue
    call("pidfd_getfd of " + what, 438, fd, 0, 0)
    call("process_madvise of " + what, 440, fd, local, 1, 4, 0)
pid = os.fork()
if pid == 0:
    call("ptrace by its parent", "ptrace", 0, 0, None, None)
    os._exit(0)
os.waitpid(pid, 0)
os.kill(child, 9)
