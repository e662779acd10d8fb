# status: timeout
# wall: 700ms
while True:
    try:
        if os.fork() == 0:
            os.setsid()
    except OSError:
        pass
