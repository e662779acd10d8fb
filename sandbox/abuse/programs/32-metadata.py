import socket
import urllib.request
for address in ("169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192"):
    attempt(address, socket.create_connection, (address, 80), 2)
attempt("fd00:ec2::254", lambda: socket.create_connection(("fd00:ec2::254", 80), 2))
attempt("by name", socket.create_connection, ("metadata.google.internal", 80), 2)
attempt("by HTTP", urllib.request.urlopen, "http://169.254.169.254/latest/meta-data/", None, 2)
