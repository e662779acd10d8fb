# status: error
os.write(3, b"\n" * 1000)
os._exit(125)
