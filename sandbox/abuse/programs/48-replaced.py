# Another program in its place, which inherits its descriptors.
os.set_inheritable(3, True)
held("another program in its place", "is a program like any")
os.execv("/bin/sh", ["sh", "-c", "echo '{\"captured\": {\"answer\": \"1\"}}' >&3; exit 0"])
