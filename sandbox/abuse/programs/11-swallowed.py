# status: memory, error
# It catches MemoryError and goes on, up to the last byte.
x, n = [], 1 << 24
while n:
    try:
        x.append(bytearray(b"x" * n))
    except MemoryError:
        n //= 2
raise MemoryError
