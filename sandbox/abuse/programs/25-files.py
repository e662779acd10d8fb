# outside: breaks
for name in ("/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/root", "/root/.ssh", "/home/user/.ssh", "/lost+found", "/opt/medgym/../../root"):
    attempt(name, os.listdir if os.path.isdir(name) else open, name)
for name in ("tmp", "temporary", "home"):
    if name in canary:
        attempt("the file in the place " + name, lambda: open(canary[name]).read())
