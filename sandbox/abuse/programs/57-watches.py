# status: ok, memory
fd = libc.inotify_init()
made = 0
if fd < 0:
    refused("inotify", os.strerror(ctypes.get_errno()))
else:
    for where, dirs, names in os.walk("/opt/env"):
        if libc.inotify_add_watch(fd, where.encode(), 0xFFF) < 0 or made > 100000:
            break
        made += 1
    held("watches", "%d, end with their program" % made)
