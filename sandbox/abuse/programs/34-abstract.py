# outside: breaks
import socket
name = "\0" + canary["abstract"].lstrip("@")
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
    attempt("the host's abstract socket", lambda: (lambda s: (s.connect(name), s.recv(100)))(socket.socket(socket.AF_UNIX, kind)))
for known in ("/tmp/.X11-unix/X0", "/run/systemd/private", "/org/freedesktop/systemd1", "docker", "/containerd-shim/x.sock@", "medgym"):
    attempt("abstract " + known, lambda: socket.socket(socket.AF_UNIX).connect("\0" + known))
