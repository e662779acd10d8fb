# status: error
class MemoryErrorish(Exception):
    pass
class E(BaseException):
    def __str__(self):
        os._exit(125)
raise E
