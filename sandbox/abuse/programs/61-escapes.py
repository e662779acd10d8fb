for text in (b"\x1b]0;title\x07", b"\x1b[2J\x1b[H", b"\x1b]52;c;cm0gLXJmIC8=\x07", b"\x1bP+q544e\x1b\\", b"\x1b[21t", b"\x9b31m", b"\x1b]8;;http://example.org\x07link\x1b]8;;\x07", b"\r\x1b[Krefused all: well", b"\x08" * 100, "\u202eesrever".encode()):
    os.write(1, text + b"\n")
    os.write(2, text + b"\n")
held("escapes", "are text to whoever reads the result")
