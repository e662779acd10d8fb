# A report of its own, before the honest one.
os.write(3, b'{"captured": {"answer": "1"}, "error_type": "", "setup": ""}\n')
held("a forged report", "is the program's own word")
