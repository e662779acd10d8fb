attempt("a cgroup", os.mkdir, "/sys/fs/cgroup/medgym-abuse")
attempt("a cgroup of memory", os.mkdir, "/sys/fs/cgroup/memory/medgym-abuse")
attempt("leave the cgroup", lambda: open("/sys/fs/cgroup/cgroup.procs", "w").write("0"))
try:
    text = open("/proc/self/cgroup").read()
except OSError as e:
    refused("/proc/self/cgroup", e.strerror)
else:
    verdict("/proc/self/cgroup", all(line.rsplit(":", 1)[1].strip() in ("/", "/run", "") or line.rsplit(":", 1)[1].startswith("/..") is False and "medgym" not in line for line in text.splitlines()), "shows nothing of the host")
