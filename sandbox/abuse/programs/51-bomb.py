# A small structure that is endless when it is written out.
answer = ["x" * 100]
for _ in range(60):
    answer = [answer] * 10
held("an answer of 10^60 items", "is cut")
