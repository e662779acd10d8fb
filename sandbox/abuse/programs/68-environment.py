# The environment is its own.
os.environ.update(PYTHONPATH="/session", LD_PRELOAD="/session/x.so", PYTHONSTARTUP="/session/x.py", PATH="/session")
os.putenv("LD_LIBRARY_PATH", "/session")
open("/session/pandas.py", "w").write("raise SystemExit('poisoned')\n")
os.remove("/session/pandas.py")
held("its environment", "is nobody else's")
