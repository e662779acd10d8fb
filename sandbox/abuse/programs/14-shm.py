# Memory by name, as multiprocessing takes it.
try:
    with open("/dev/shm/medgym-abuse", "wb") as f:
        for _ in range(200):
            f.write(bytes(1 << 20))
            f.flush()
except OSError as e:
    refused("200 MB in /dev/shm", e.strerror)
else:
    breached("200 MB in /dev/shm", "written")
