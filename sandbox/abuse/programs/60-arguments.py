import subprocess
for what, run in (("an argument of 1 MB", lambda: subprocess.run(["true", "x" * (1 << 20)])), ("64 MB of arguments", lambda: subprocess.run(["true"] + ["x" * 100000] * 640)),
                  ("an environment of 64 MB", lambda: subprocess.run(["true"], env={"X%d" % n: "x" * 100000 for n in range(640)}))):
    attempt(what, run)
