# Files of the work folder become links to the host's, and back, as fast as can be.
import time
os.chdir("/session")
if os.fork() == 0:
    while True:
        for target in ("/etc/shadow", canary["tmp"], "/proc/1/root/etc/shadow", "/data/database.sqlite"):
            try:
                os.symlink(target, "new")
                os.rename("new", "answer.csv")
            except OSError:
                pass
end, seen = time.time() + .3, 0
while time.time() < end:
    try:
        with open("answer.csv", "rb") as f:
            text = f.read()
    except OSError:
        continue
    seen += 1
    if MARK in text or b"root:" in text:
        breached("a link that turns", text[:50])
        break
refused("a link that turns", "%d reads" % seen)
