# What an interpreter would load by itself from where it runs. The next program of the
# session imports its own packages all the same: what is looked at afterwards.
for name in ("sitecustomize.py", "usercustomize.py", "numpy.pth", "conftest.py", ".pythonrc.py", ".pdbrc", "pandas_hook.py"):
    open("/session/" + name, "w").write("raise SystemExit('poisoned')\n")
for name in (".local/lib/python3.11/site-packages", ".config/pip", ".config/matplotlib"):
    os.makedirs("/session/" + name, exist_ok=True)
open("/session/.local/lib/python3.11/site-packages/usercustomize.py", "w").write("raise SystemExit('poisoned')\n")
for name in (".profile", ".bashrc", ".shrc"):
    open("/session/" + name, "w").write("exit 3\n")
import subprocess
got = subprocess.run(["python", "-c", "import json; print(json.dumps(1))"], capture_output=True, text=True)
held("an interpreter that the session itself begins", "runs" if got.stdout.strip() == "1" else "meets what the session left")
verdict("the next shell", subprocess.run(["sh", "-c", "echo 1"], capture_output=True, text=True).stdout == "1\n", "runs")
