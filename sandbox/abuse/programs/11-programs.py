# status: memory
# Programs that are begun anew inherit nothing.
import subprocess
import time
for _ in range(6):
    subprocess.Popen(["python", "-S", "-c", "import time; x = b'x' * (90 << 20); time.sleep(60)"])
time.sleep(60)
