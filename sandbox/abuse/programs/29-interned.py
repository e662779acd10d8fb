# Objects that every interpreter shares: small integers, the empty tuple, types.
import ctypes
ctypes.c_long.from_address(id(5) + 24).value = 6
ctypes.c_ssize_t.from_address(id(())).value = 1
held("the number 5 is 6", "in this process alone")
os._exit(0)
