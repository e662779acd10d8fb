import shutil
import subprocess
me = os.getuid(), os.geteuid(), os.getgid()
shutil.copy("/usr/bin/id", "/session/id")
os.chmod("/session/id", 0o6755)
got = subprocess.run(["/session/id", "-u"], capture_output=True, text=True).stdout.strip()
verdict("a setuid program of its own", got == str(me[1]), got)
for name in ("su", "sudo", "mount", "umount", "passwd", "chsh", "newgrp", "newuidmap", "ping", "fusermount", "pkexec"):
    path = shutil.which(name)
    if path is None:
        refused(name, "is not there")
        continue
    r = subprocess.run([path, "--version"] if name != "su" else [path, "root", "-c", "id"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    verdict(name, "uid=0(" not in r.stdout or me[0] == 0, r.stdout[:50])
