for name in ("/dev/shm/medgym-abuse-word", "/tmp/medgym-abuse-word", "/dev/mqueue/medgym-abuse-word"):
    attempt("the word of another program in " + name, open, name)
