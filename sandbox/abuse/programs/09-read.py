# status: timeout
# wall: 500ms
a, b = os.pipe()
os.read(a, 1)
