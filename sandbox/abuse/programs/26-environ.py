# outside: breaks
import glob
seen = 0
for name in sorted(set(glob.glob("/proc/[0-9]*/environ") + ["/proc/1/environ", "/proc/self/environ", "/proc/%s/environ" % canary["pid"]])):
    try:
        text = open(name, "rb").read()
    except OSError as e:
        refused(name, e.strerror)
        continue
    seen += 1
    verdict(name, MARK not in text and b"MEDGYM_" not in text, "%d bytes" % len(text))
verdict("its own environment", not [k for k in os.environ if k.startswith(("MEDGYM_", "AWS_", "OPENAI", "SSH_", "DOCKER"))], sorted(os.environ))
