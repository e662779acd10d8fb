# A work folder that its owner has closed.
os.chdir("/")
try:
    os.chmod("/session", 0)
except OSError as e:
    refused("a closed work folder", e.strerror)
else:
    held("a closed work folder", "harms its own session alone")
    os.chmod("/session", 0o700)
