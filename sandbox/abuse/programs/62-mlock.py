import mmap
m = mmap.mmap(-1, 128 << 20)
address = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(m)))
call("mlock of 128 MB", "mlock", address, ctypes.c_size_t(len(m)))
call("mlockall", "mlockall", 3)
