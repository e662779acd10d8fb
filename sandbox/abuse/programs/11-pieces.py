# status: memory
x = []
while True:
    x.append(bytes(1 << 20))
