# outside: breaks
flags = {"user": 0x10000000, "mount": 0x20000, "pid": 0x20000000, "net": 0x40000000, "ipc": 0x8000000, "uts": 0x4000000, "cgroup": 0x2000000, "time": 0x80}
def in_a_child(what, act):
    pid = os.fork()
    if pid == 0:
        act()
        os._exit(0)
    os.waitpid(pid, 0)
for name, flag in flags.items():
    in_a_child(name, lambda: call("unshare of " + name, "unshare", flag))
    if name != "time":
        def clone():
            ctypes.set_errno(0)
            pid = libc.syscall(56, ctypes.c_ulong(flag | 17), None, None, None, None)
            if pid == 0:
                os._exit(0)
            (refused("clone with " + name, os.strerror(ctypes.get_errno())) if pid < 0 else breached("clone with " + name, pid))
        in_a_child(name, clone)
for name in ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup"):
    path = "/proc/%d/ns/%s" % (1 if os.getpid() != 1 else os.getpid(), name)
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError as e:
        refused("open " + path, e.strerror)
        continue
    in_a_child(name, lambda: call("setns to " + name, "setns", fd, 0))
import struct
args = ctypes.create_string_buffer(struct.pack("=11Q", 0x10000000, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0), 88)
def clone3():
    ctypes.set_errno(0)
    pid = libc.syscall(435, args, ctypes.c_ulong(88))
    if pid == 0:
        os._exit(0)
    (refused("clone3", os.strerror(ctypes.get_errno())) if pid < 0 else breached("clone3", pid))
in_a_child("clone3", clone3)
