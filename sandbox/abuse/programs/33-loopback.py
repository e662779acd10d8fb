# outside: breaks
import socket
port = int(canary["port"])
for host in ("127.0.0.1", "localhost", "0.0.0.0", "127.1.2.3", "::1", "::ffff:127.0.0.1", "172.17.0.1", "host.docker.internal", socket.gethostname()):
    attempt(host, lambda: socket.create_connection((host, port), 2).recv(100))
open_ports = []
for port in list(range(1, 1024)) + [2375, 2376, 3306, 5432, 6379, 8000, 8080, 8888, 11434]:
    s = socket.socket()
    if s.connect_ex(("127.0.0.1", port)) == 0:
        open_ports.append(port)
    s.close()
verdict("ports of loopback", not open_ports, open_ports)
