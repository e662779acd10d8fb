# outside: breaks
import tempfile
work = tempfile.mkdtemp()
for what, target in (("the host", canary["tmp"]), ("the shadow file", "/etc/shadow"), ("far up", "../" * 40 + "etc/shadow"),
                     ("/proc/self/root", "/proc/self/root/etc/shadow"), ("/proc/1/root", "/proc/1/root" + canary["tmp"]),
                     ("/proc/self/cwd", "/proc/self/cwd/../../../../etc/shadow"), ("/dev/fd", "/dev/fd/3/../../etc/shadow")):
    link = os.path.join(work, what.replace("/", "_"))
    os.symlink(target, link)
    attempt("a link to " + what, lambda: open(link).read())
attempt("dots", lambda: open("/session/../../../../../etc/shadow").read())
root = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
for what, name in (("..", "../etc/shadow"), ("../..", "../../.." + canary["tmp"])):
    attempt("the root's " + what, lambda: os.open(name, os.O_RDONLY, dir_fd=root))
import shutil
shutil.rmtree(work)
