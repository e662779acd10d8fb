# status: timeout
# wall: 500ms
x = 3 ** (10 ** 9)
