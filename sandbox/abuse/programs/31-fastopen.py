# Ways to connect that are no connect().
import socket
attempt("fast open", lambda: socket.socket().sendto(b"x", 0x20000000, ("192.0.2.1", 80)))
attempt("listen to all", lambda: (lambda s: (s.bind(("0.0.0.0", 0)), s.connect(("192.0.2.1", 80))))(socket.socket()))
attempt("a raw socket", socket.socket, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
attempt("ping", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP).sendto(b"\x08\0\0\0\0\0\0\0", ("192.0.2.1", 0)))
