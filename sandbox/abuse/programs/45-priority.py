attempt("nice -20", os.setpriority, os.PRIO_PROCESS, 0, -20)
attempt("nice of others", os.setpriority, os.PRIO_PROCESS, int(canary["pid"]), 19)
for group in (os.PRIO_PGRP, os.PRIO_USER):
    try:
        os.setpriority(group, 0, 19)
    except OSError as e:
        refused("nice of the group", e.strerror)
    else:
        held("nice of the group", "reaches its own processes alone")
for value in ("-1000", "-1", "0"):
    attempt("oom_score_adj %s" % value, lambda: open("/proc/self/oom_score_adj", "w").write(value) and open("/proc/self/oom_score_adj", "w").flush())
call("ioprio of real time", 251, 1, 0, 1 << 13)
