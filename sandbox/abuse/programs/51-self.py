answer = {}
answer["self"] = [answer] * 1000
class Endless(list):
    def __iter__(self):
        while True:
            yield self
    def __len__(self):
        return 1 << 62
other = Endless()
answer["endless"] = other
held("an answer in itself", "is cut")
