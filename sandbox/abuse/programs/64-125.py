# status: error
os.write(3, b'{"setup": "OSError: no space left"}')
sys.exit(125)
