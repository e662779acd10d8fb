for folder in ("/tmp", "/session"):
    try:
        for i in range(64):
            with open("%s/medgym-abuse-%d" % (folder, i), "wb") as f:
                f.write(bytes(1 << 20))
    except OSError as e:
        refused("64 files of 1 MB in " + folder, e.strerror)
    else:
        breached("64 files of 1 MB in " + folder, "written")
