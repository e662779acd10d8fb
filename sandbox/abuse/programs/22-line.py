# status: output_limit
os.write(1, b"x" * (1 << 20))
os.write(1, b"x" * (1 << 20))
