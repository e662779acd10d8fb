# Epolls inside of epolls: each wait would visit all of them.
import select
try:
    chain = [select.epoll()]
    for _ in range(50):
        e = select.epoll()
        e.register(chain[-1].fileno())
        chain.append(e)
except OSError as e:
    refused("a chain of epolls", e.strerror)
else:
    breached("a chain of epolls", len(chain))
