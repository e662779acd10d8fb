import fcntl
f = open("/session/x", "wb")
attempt("fallocate of 1 GB", os.posix_fallocate, f.fileno(), 0, 1 << 30)
call("fallocate that keeps the size", "fallocate", f.fileno(), 1, ctypes.c_long(0), ctypes.c_long(1 << 30))
for name in ("trusted.x", "security.capability", "system.posix_acl_access"):
    attempt("attribute " + name, os.setxattr, "/session/x", name, bytes(20))
for name in ("/data/database.sqlite", "/bin/sh", "/etc/passwd"):
    attempt("an attribute of " + name, os.setxattr, name, "user.x", b"x")
    attempt("a hard link of " + name, os.link, name, "/session/link")
attempt("immutable", lambda: fcntl.ioctl(f, 0x40086602, bytes([16, 0, 0, 0, 0, 0, 0, 0])))
attempt("a device", os.mknod, "/session/d", 0o20666, os.makedev(1, 8))
call("name_to_handle_at", 303, -100, b"/", ctypes.create_string_buffer(b"\x80\0\0\0", 136), ctypes.byref(ctypes.c_int()), 0)
call("open_by_handle_at", 304, -100, ctypes.create_string_buffer(b"\x08\0\0\0\x01\0\0\0\x02\0\0\0\0\0\0\0", 16), 0)
call("fanotify", 300, 0, 0)
