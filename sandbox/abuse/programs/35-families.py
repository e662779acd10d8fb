# outside: breaks
import socket
families = {"netlink": (16, 3, 0), "audit": (16, 3, 9), "packet": (17, 3, 0), "packet, datagram": (17, 2, 0x300), "vsock": (40, 1, 0), "AF_ALG": (38, 5, 0),
            "bluetooth": (31, 3, 1), "CAN": (29, 3, 1), "TIPC": (30, 5, 0), "X.25": (9, 5, 0), "AppleTalk": (5, 2, 0), "RDS": (21, 5, 0), "key": (15, 3, 2),
            "XDP": (44, 3, 0), "SMC": (43, 1, 0), "KCM": (41, 2, 0), "LLC": (26, 1, 0), "raw": (2, 3, 1), "raw of IPv6": (10, 3, 58), "SCTP": (2, 5, 132),
            "DCCP": (2, 6, 33), "MPTCP": (2, 1, 262), "UDP-Lite": (2, 2, 136), "no family": (0, 1, 0), "IB": (27, 1, 0), "PPPoX": (24, 1, 0), "NFC": (39, 5, 0), "QIPCRTR": (42, 2, 0)}
for name, numbers in families.items():
    attempt(name, lambda: socket.socket(*numbers))
attempt("a pair of netlink", socket.socketpair, 16, 3, 0)
