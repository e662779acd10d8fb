# status: memory
import zlib
packed = zlib.compress(bytes(100 << 20), 9)
x = [zlib.decompress(packed) for _ in range(20)]
