for name in ("uid_map", "gid_map", "setgroups", "loginuid", "projid_map"):
    attempt("/proc/self/" + name, lambda: open("/proc/self/" + name, "w").write("0 0 4294967295"))
