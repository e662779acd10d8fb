import subprocess
subprocess.Popen(["sleep", "600"])
held("a child with stdout open", "nobody waits for it")
