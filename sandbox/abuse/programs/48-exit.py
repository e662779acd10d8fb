# status: error
os.write(3, b'\n{"captured": {"ans')
os._exit(7)
