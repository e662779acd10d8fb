for text in (b"\x00" * 1000, b"\xff\xfe\xc3\x28\xed\xa0\x80" * 100, bytes(range(256)), b"\r\n\x85\xe2\x80\xa8"):
    os.write(1, text + b"\n")
    os.write(2, text + b"\n")
held("bytes that are no text", "are replaced")
