import glob
for name in ("kernel/core_pattern", "kernel/sysrq", "kernel/hostname", "kernel/modprobe", "kernel/pid_max", "vm/drop_caches", "vm/overcommit_memory", "net/ipv4/ip_forward", "fs/binfmt_misc/register", "kernel/ns_last_pid"):
    attempt(name, open, "/proc/sys/" + name, "w")
for name in ("/proc/sysrq-trigger", "/proc/kcore", "/proc/kmsg", "/proc/kallsyms", "/proc/timer_list", "/proc/sched_debug", "/proc/self/clear_refs", "/proc/mtrr", "/proc/bus/pci/00/00.0", "/sys/kernel/uevent_helper", "/sys/power/state",
             "/sys/kernel/security/lockdown", "/sys/kernel/debug/x", "/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/release_agent", "/sys/fs/cgroup/memory/release_agent", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
    if name == "/proc/self/clear_refs":
        continue
    attempt(name, open, name, "w")
for where, dirs, names in os.walk("/sys"):
    for name in names:
        if os.access(os.path.join(where, name), os.W_OK):
            breached(os.path.join(where, name), "can be written")
    for name in dirs:
        if os.access(os.path.join(where, name), os.W_OK):
            breached(os.path.join(where, name), "a folder that can be written")
refused("files below /sys", "none can be written")
