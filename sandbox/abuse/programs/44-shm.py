for folder in ("/dev/shm", "/tmp", "/dev/mqueue", "/var/tmp", "/run/lock"):
    try:
        verdict("words in " + folder, not os.listdir(folder), os.listdir(folder))
        open(folder + "/medgym-abuse-word", "w").write("word")
    except OSError as e:
        refused("a word in " + folder, e.strerror)
