# status: output_limit
while True:
    os.write(3, b"\xff" * 65536)
