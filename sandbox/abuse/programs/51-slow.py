# status: timeout
# wall: 1s
# Values and streams that never say what they are.
def never(*args):
    while True:
        pass
class Slow:
    __class__ = property(never)
    __repr__ = never
answer = Slow()
sys.stdout = type("Stream", (), {"flush": never, "write": len})()
