# Whoever looks into the work folder meets names that hang or lie.
os.chdir("/session")
for name in ("data.csv", "answer.json", "pandas.py", "request"):
    os.mkfifo(name)
os.symlink("/dev/zero", "zero.csv")
os.symlink("/dev/random", "random.csv")
os.symlink("/proc/self/fd/0", "stdin")
held("FIFOs in the work folder", "nobody opens them")
