# outside: breaks
import glob
import socket
def connect(path):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(2)
    s.connect(path)
    return s.recv(100) if "medgym-daemon" in path else "connected"
for path in ["/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock", "/run/dbus/system_bus_socket",
             "/run/user/0/bus", "/run/systemd/private", "/run/systemd/journal/socket", "/dev/log", "/tmp/.X11-unix/X0", os.environ.get("SSH_AUTH_SOCK", "/tmp/ssh-agent")]:
    attempt(path, connect, path)
attempt("a daemon's socket in the host's temporary folder", connect, canary["daemon"])
attempt("the same, by the zygote's root", connect, "/proc/1/root" + canary["daemon"])
