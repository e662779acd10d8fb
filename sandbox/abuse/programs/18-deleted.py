for folder in ("/tmp", "/session"):
    files = []
    try:
        for i in range(64):
            f = open(os.path.join(folder, "x"), "wb")
            os.unlink(f.name)
            f.write(bytes(1 << 20))
            f.flush()
            files.append(f)
    except OSError as e:
        refused("64 MB without a name in " + folder, e.strerror)
    else:
        breached("64 MB without a name in " + folder, "written")
