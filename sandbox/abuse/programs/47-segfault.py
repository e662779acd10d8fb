# status: killed
ctypes.string_at(0)
