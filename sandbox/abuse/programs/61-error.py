# status: error
raise type("\x1b[31mError", (Exception,), {})("\x1b]0;title\x07" * 1000 + "\x00")
