# status: output_limit
while True:
    os.write(3, b'{"error_type": "' + b"E" * 65536)
