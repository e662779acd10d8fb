# status: killed, error
sys.setrecursionlimit(10 ** 9)
def deeper(n):
    return [n, *map(deeper, [n + 1])]
deeper(0)
