files = []
try:
    for i in range(64):
        fd = os.open("/tmp", os.O_TMPFILE | os.O_RDWR)
        files.append(fd)
        os.write(fd, bytes(1 << 20))
except OSError as e:
    refused("64 MB in files of O_TMPFILE", e.strerror)
else:
    breached("64 MB in files of O_TMPFILE", "written")
