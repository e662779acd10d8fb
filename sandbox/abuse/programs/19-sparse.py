# outside: breaks
def sparse(folder):
    with open(os.path.join(folder, "medgym-abuse-sparse"), "wb") as f:
        try:
            f.truncate(1 << 40)
        finally:
            os.unlink(f.name)
def far():
    with open("/tmp/medgym-abuse-sparse", "wb") as f:
        try:
            f.seek(1 << 40)
            f.write(b"x")
            f.flush()
        finally:
            os.unlink(f.name)
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
attempt("1 TB by truncate", sparse, "/tmp")
attempt("1 TB by seek", far)
if os.path.isdir("/session"):
    attempt("1 TB in /session", sparse, "/session")
