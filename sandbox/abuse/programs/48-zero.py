# It ends well in the middle of its report: nothing is handed over.
answer = 1
held("an end in the middle of the report", "no answer")
os.write(3, b'{"captured": {"answer": "1"')
os._exit(0)
