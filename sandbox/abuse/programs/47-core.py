# status: killed
import resource
soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
try:
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
except (OSError, ValueError):
    pass
libc.prctl(4, 1, 0, 0, 0)  # dumpable
os.chdir("/session")
os.kill(os.getpid(), 11)
ctypes.string_at(0)
