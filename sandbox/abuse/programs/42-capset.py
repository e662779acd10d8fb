import struct
def caps():
    return [l.split()[1] for l in open("/proc/self/status") if l.startswith("Cap")]
verdict("capabilities", set(caps()) == {"0" * 16}, caps())
header = struct.pack("=Ii", 0x20080522, 0)
call("capset", "capset", ctypes.create_string_buffer(header, 8), ctypes.create_string_buffer(struct.pack("=6I", *[0xFFFFFFFF] * 6), 24))
call("ambient capability", "prctl", 47, 2, 21, 0, 0)
if os.getuid() != 0:
    attempt("setuid", os.setuid, 0)
    attempt("setresuid", os.setresuid, 0, 0, 0)
    attempt("setgid", os.setgid, 0)
    attempt("setgroups", os.setgroups, [0])
call("unset no_new_privs", "prctl", 38, 0, 0, 0, 0)
call("securebits", "prctl", 28, 0, 0, 0, 0)
attempt("chown", os.chown, "/session", 1, 1)
verdict("no_new_privs", "NoNewPrivs:\t1" in open("/proc/self/status").read(), "is on")
