for folder in ("/tmp", "/session", "/dev/shm"):
    for kind, make in (("files", lambda name: open(name, "w").close()), ("folders", os.mkdir), ("links", lambda name: os.symlink("x", name))):
        try:
            for i in range(1000):
                make("%s/medgym-abuse-%s-%d" % (folder, kind, i))
        except OSError as e:
            refused("a thousand %s in %s" % (kind, folder), e.strerror)
        else:
            breached("a thousand %s in %s" % (kind, folder), "made")
