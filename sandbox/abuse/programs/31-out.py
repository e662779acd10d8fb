import socket
import urllib.request
socket.setdefaulttimeout(2)
for address in (("192.0.2.1", 80), ("1.1.1.1", 443), ("8.8.8.8", 53), ("10.0.0.1", 22), ("172.17.0.1", 2375), ("192.168.0.1", 80)):
    attempt("TCP %s:%d" % address, socket.create_connection, address, 2)
    attempt("UDP %s:%d" % address, socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto, b"x", address)
for address in (("2001:4860:4860::8888", 53), ("fe80::1", 53), ("ff02::1", 53)):
    attempt("UDP %s" % address[0], lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b"x", address))
attempt("a name", socket.gethostbyname, "example.org")
attempt("HTTP", urllib.request.urlopen, "http://example.org", None, 2)
attempt("broadcast", lambda: (lambda s: (s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1), s.sendto(b"x", ("255.255.255.255", 9))))(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)))
attempt("multicast", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("224.0.0.1", 9)))
