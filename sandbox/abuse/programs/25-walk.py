# Every file that can be reached by name, from every root that there is.
seen, files = set(), 0
for top in ("/", "/proc/self/root", "/proc/self/cwd", "/proc/1/root", "/proc/1/cwd", "/proc/thread-self/root"):
    for where, dirs, names in os.walk(top):
        skip = ("proc", "sys", "usr", "env", "lib", "lib64", "bin", "python")
        dirs[:] = [d for d in dirs if d not in skip]
        for name in names:
            path = os.path.join(where, name)
            try:
                info = os.stat(path)
                if (info.st_dev, info.st_ino) in seen or not 0 < info.st_size < 1 << 22:
                    continue
                seen.add((info.st_dev, info.st_ino))
                text = open(path, "rb").read()
            except OSError:
                continue
            files += 1
            if MARK in text:
                breached(path.encode("ascii", "replace").decode(), text[:100])
verdict("every file below /", files > 0, "%d files, none of the host or of another session" % files)
