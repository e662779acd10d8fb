# status: timeout
# wall: 700ms
while True:
    try:
        os.fork()
    except OSError:
        pass
