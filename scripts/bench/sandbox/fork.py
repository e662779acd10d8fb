"""Forks a process that has loaded the modules of its first argument, and waits for
the child, until the time is over. Orders come and figures go as lines of JSON."""
import gc
import importlib
import json
import os
import sys
import time

for name in json.loads(sys.argv[1]):
    try:
        importlib.import_module(name)
    except Exception:
        pass  # the cell's own parts, and what only loads as part of another
gc.collect()
gc.freeze()


def child(code, answer):
    if not code:
        os._exit(0)
    names = {"__name__": "__main__"}
    try:
        exec(compile(code, "<program>", "exec"), names)
    finally:
        os._exit(0 if json.dumps(names.get("answer")) == answer else 1)


for line in sys.stdin:
    order = json.loads(line)
    took, begin = [], time.perf_counter()
    while not took or time.perf_counter() - begin < order["seconds"]:
        each = time.perf_counter_ns()
        pid = os.fork()
        if pid == 0:
            child(order["code"], order["answer"])
        _, status = os.waitpid(pid, 0)
        took.append(time.perf_counter_ns() - each)
        if status:
            sys.exit("a child ended with status %d" % status)
    print(json.dumps(took), flush=True)
