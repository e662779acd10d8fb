import resource
for number in range(16):
    soft, hard = resource.getrlimit(number)
    if hard == resource.RLIM_INFINITY:
        held("limit %d" % number, "is not one of the sandbox")
        continue
    try:
        resource.setrlimit(number, (soft, hard + 1))
    except (OSError, ValueError) as e:
        refused("limit %d above %d" % (number, hard), e)
    else:
        breached("limit %d" % number, "raised")
for name, number in (("AS", resource.RLIMIT_AS), ("CPU", resource.RLIMIT_CPU), ("FSIZE", resource.RLIMIT_FSIZE), ("NPROC", resource.RLIMIT_NPROC), ("NOFILE", resource.RLIMIT_NOFILE)):
    verdict("RLIMIT_" + name, resource.getrlimit(number)[1] != resource.RLIM_INFINITY, resource.getrlimit(number))
for pid in (1, os.getppid(), int(canary["pid"])):
    if pid not in (0, os.getpid()):
        try:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (1, 1))
        except (OSError, ValueError) as e:
            refused("limits of process %d" % pid, e)
        else:
            breached("limits of process %d" % pid, "set")
refused("others", "are not to be seen")
