"""The warm interpreter of a cell.

It loads packages once, then forks for every execution: the child enters pid,
mount and ipc namespaces of its own, is confined, and runs one program as process
1 of its namespace, so that its end is the end of everything it started. The
supervisor watches time, memory and output.

What a fork costs grows with what is loaded. So there are tiers, each a process
that has loaded what the one below has and more, and a program is forked from the
lowest that has what it imports. A tier is never told what it forks for: a child
inherits its memory, so it must hold nothing of another program. The child reads
its own request, and becomes the supervisor's (CLONE_PARENT), which alone watches.

Frames on the control socket (fd 3) are a 4-byte big-endian length and JSON. What a
program wrote follows the last frame of its execution as it is.
"""
import base64
import builtins
import ctypes
import errno
import fcntl
import gc
import json
import linecache
import marshal
import os
import random
import re
import resource
import select
import signal
import site
import socket
import struct
import sys
import threading
import time
import traceback
import types

import plain

CLONE_PARENT, CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWPID = 0x8000, 0x20000, 0x8000000, 0x20000000
SYS_CLONE = {"x86_64": 56, "aarch64": 220}
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MNT_DETACH = 2
SYS_OPEN_TREE, SYS_MOVE_MOUNT, AT_FDCWD, MOVE_MOUNT_F_EMPTY_PATH = 428, 429, -100, 4
OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC, AT_RECURSIVE = 1, os.O_CLOEXEC, 0x8000
PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 22, 24, 38
MADV_COLLAPSE, HUGE = 25, 2 << 20
TICK = 0.05
INSTALLED = site.getusersitepackages()  # below /session: where pip puts packages

libc = ctypes.PyDLL(None, use_errno=True)  # PyDLL: the lock stays held over a clone


class Control:
    """A socket that carries frames: to the host, or to a tier."""

    def __init__(self, sock):
        self.sock = sock

    def _exactly(self, n):
        parts = []
        while n:
            part = self.sock.recv(min(n, 1 << 20))
            if not part:
                os._exit(0)  # whoever was there is gone, and with it the reason to live
            parts.append(part)
            n -= len(part)
        return b"".join(parts)

    def receive(self):
        (n,) = struct.unpack(">I", self._exactly(4))
        return json.loads(self._exactly(n))

    def receive_fds(self, count):
        """The descriptors that come with one byte."""
        byte, fds, _, _ = socket.recv_fds(self.sock, 1, count, socket.MSG_CMSG_CLOEXEC)
        if not byte:
            os._exit(0)
        return fds

    def send(self, frame, fds=(), streams=()):
        data = json.dumps(frame).encode("utf-8", "replace")
        data = struct.pack(">I", len(data)) + data
        if fds:
            sent = socket.send_fds(self.sock, [data], fds)
            data = data[sent:]
        self.sock.sendall(data)
        for stream in streams:
            self.sock.sendall(stream)


def check(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, "%s: %s" % (what, os.strerror(number)))


def mount(source, target, kind, flags, options=""):
    check(libc.mount(source.encode(), target.encode(), kind.encode() if kind else None, ctypes.c_ulong(flags),
                     options.encode() or None), "mount " + target)


def clone(flags):
    """fork() with flags. PyDLL keeps the interpreter's lock over it. What fork() does in
    a child for the sake of other threads is left out: there are none, and it would write
    to, and so copy, more than a hundred pages."""
    pid = libc.syscall(SYS_CLONE[os.uname().machine], ctypes.c_ulong(flags | signal.SIGCHLD), None, None, None, None)
    if pid < 0:
        number = ctypes.get_errno()
        raise OSError(number, "clone: " + os.strerror(number))
    return pid


NEW_NAMESPACES = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC


# --- the child -------------------------------------------------------------


def give_way():
    """Where memory runs out, programs go first."""
    fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
    os.write(fd, b"1000")
    os.close(fd)


def furnish(req, mounts):
    """The file systems of one execution: its own, and the session's, which come as mounts
    that are attached nowhere. So no execution copies the mounts of other sessions."""
    # The processes alone: what else /proc shows is the machine's, and as the owner of
    # the cell an ordinary user could set the network's part of /proc/sys.
    mount("proc", "/proc", "proc", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "subset=pid")
    scratch = "size=%d,nr_inodes=%d,mode=1777" % (req["disk"], req["inodes"])
    mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, scratch)
    mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, scratch)
    for fd, name in zip(mounts, ["session"] + req.get("roots", [])):
        attach(fd, "/" + name)


def attach(fd, path):
    """Puts a detached mount in its place."""
    check(libc.syscall(SYS_MOVE_MOUNT, ctypes.c_long(fd), b"", ctypes.c_long(AT_FDCWD), path.encode(),
                       ctypes.c_ulong(MOVE_MOUNT_F_EMPTY_PATH)), "mount " + path)


def limit(kind, value):
    resource.setrlimit(kind, (value, value))


def confine(req, config):
    limit(resource.RLIMIT_AS, config["base_vm"] + req["memory"])
    limit(resource.RLIMIT_FSIZE, req["disk"])
    limit(resource.RLIMIT_CPU, int(req["cpu"]) + 1)
    # It counts a user's processes; without a user of their own, the cell's are among them.
    cell = 0 if config["uid"] or "namespaces" in config else 1 + len(config["tiers"])
    limit(resource.RLIMIT_NPROC, req["processes"] + cell)
    limit(resource.RLIMIT_NOFILE, 1024)
    limit(resource.RLIMIT_CORE, 1)  # 0 would not keep a core_pattern that is a pipe from running
    limit(resource.RLIMIT_MSGQUEUE, 0)
    limit(resource.RLIMIT_RTPRIO, 0)
    limit(resource.RLIMIT_STACK, 8 << 20)
    uid = config["uid"]
    if uid:
        os.setgroups([])
    if uid:
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    header = struct.pack("=Ii", 0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3
    check(libc.capset(header, struct.pack("=6I", 0, 0, 0, 0, 0, 0)), "capset")
    check(libc.prctl(PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), 0, 0, 0), "no_new_privs")
    if config.get("landlock"):
        lock(config["landlock"], req["ports"])
    check(libc.prctl(PR_SET_SECCOMP, ctypes.c_ulong(2), config["filter"], 0, 0), "seccomp")


SYS_LANDLOCK_CREATE_RULESET, SYS_LANDLOCK_ADD_RULE, SYS_LANDLOCK_RESTRICT_SELF = 444, 445, 446
LANDLOCK_RULE_PATH_BENEATH, LANDLOCK_RULE_NET_PORT = 1, 2
LANDLOCK_READ = 1 << 0 | 1 << 2 | 1 << 3  # to run files, to read files and folders
LANDLOCK_DEVICES = 1 << 6 | 1 << 11  # to make them
LANDLOCK_CONNECT_TCP = 1 << 1
LANDLOCK_QUIET = 1  # in the audit log, which a program could fill


def lock(version, ports):
    """Landlock, a second lock beside the mounts: all may be read, the program's own
    folders (and devices, which lie on a read-only mount) written, and of TCP ports only
    services be connected to. Signals and abstract Unix sockets end at the program."""
    rights = (1 << (13, 14, 15, 15, 16)[min(version, 5) - 1]) - 1
    attributes = struct.pack("=QQQ", rights, 3, 3)[:8 if version < 4 else 16 if version < 6 else 24]
    ruleset = landlock(SYS_LANDLOCK_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint(0))
    for path, allowed in (("/", LANDLOCK_READ), ("/dev", rights & ~LANDLOCK_DEVICES),
                          ("/session", rights & ~LANDLOCK_DEVICES), ("/tmp", rights & ~LANDLOCK_DEVICES)):
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        landlock(SYS_LANDLOCK_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(LANDLOCK_RULE_PATH_BENEATH),
                 struct.pack("=Qi", allowed, fd), ctypes.c_uint(0))
        os.close(fd)
    for port in ports if version >= 4 else ():
        landlock(SYS_LANDLOCK_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(LANDLOCK_RULE_NET_PORT),
                 struct.pack("=QQ", LANDLOCK_CONNECT_TCP, port), ctypes.c_uint(0))
    landlock(SYS_LANDLOCK_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint(LANDLOCK_QUIET if version >= 7 else 0))
    os.close(ruleset)


def landlock(call, *arguments):
    result = libc.syscall(call, *arguments)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, "landlock: " + os.strerror(number))
    return result


def plumb(fds):
    """Standard streams, the result pipe as fd 3 and the request as fd 4; of the others,
    which are mounts, the child's own numbers."""
    # A tier keeps its own descriptors high, so that those of an execution come as 3, 4, ...
    assert fds == list(range(3, 3 + len(fds)))
    null = os.open("/dev/null", os.O_RDONLY)  # anew: flags and locks of an open file are shared
    for n, fd in enumerate((null, 5, 6)):
        os.dup2(fd, n)
    return fds[4:]


def reseed(seed):
    random.seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed & 0xFFFFFFFF)


def run_python(req):
    """Runs the program as __main__. Returns the exit code and what to report."""
    report = {"error_type": "", "error_message": "", "error_line": 0, "captured": {}}
    code, name = req["code"], "<program>"
    linecache.cache[name] = (len(code), None, code.splitlines(True), name)
    main = types.ModuleType("__main__")
    main.__dict__.update(__file__=name, __builtins__=builtins)
    sys.modules["__main__"] = main
    sys.argv = [name]
    sys.path.insert(0, "")
    sys.path.append(INSTALLED)
    try:
        for key, value in req["inject"].items():
            main.__dict__[key] = plain.read(value)
    except Exception as e:
        return 125, {"setup": "variable %s: %s: %s" % (key, type(e).__name__, e)}
    os.write(3, b"\n")  # what is said of the setup after this, the program says
    exit_code = 0
    try:
        exec(compile(code, name, "exec", dont_inherit=True), main.__dict__)
        threading._shutdown()
    except SystemExit as e:
        exit_code = exit_status(e)
        if exit_code:
            report["error_type"] = "SystemExit"
    except BaseException as e:
        exit_code = 1
        describe(e, name, report)
    left = req["capture_bytes"]
    for want in req["capture"]:
        if want["name"] in main.__dict__:
            text = plain.dumps(main.__dict__[want["name"]], left, want.get("attrs", ()))
            report["captured"][want["name"]] = text
            left = max(0, left - len(text))
    return exit_code, report


def exit_status(e):
    if e.code is None:
        return 0
    if isinstance(e.code, int):
        return e.code & 0xFF
    print(e.code, file=sys.stderr)
    return 1


def describe(e, name, report):
    frames = [f for f in traceback.extract_tb(e.__traceback__) if f.filename == name]
    report["error_type"] = plain.type_name(e).rpartition(".")[2]
    try:
        report["error_message"] = plain.label(e, 4000)
    except BaseException:
        pass
    if isinstance(e, SyntaxError) and e.filename == name:
        report["error_line"] = e.lineno or 0
    elif frames:
        report["error_line"] = frames[-1].lineno or 0
    tb = e.__traceback__
    while tb is not None and tb.tb_frame.f_code.co_filename == __file__:
        tb = tb.tb_next  # our own frames are no business of the program
    try:
        traceback.print_exception(type(e), e, tb, limit=-20)
    except BaseException:
        print(type(e).__name__, file=sys.stderr)


def child(config, fds):
    exit_code = 125
    try:
        os.setsid()  # out of the cell's process group, for kill(0) heeds no namespace
        mounts = plumb(fds)
        req = marshal.loads(os.read(4, os.fstat(4).st_size))
        give_way()  # afterwards /proc is read-only
        config.get("furnish", furnish)(req, mounts)
        os.closerange(4, 4096)
        confine(req, config)
        os.chdir("/session")
        os.umask(0o022)
    except BaseException as e:
        try:
            os.write(3, json.dumps({"setup": "%s: %s" % (type(e).__name__, e)}).encode())
        finally:
            os._exit(125)
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if req["language"] == "shell":
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            os.write(3, b"\n")  # the shell inherits it, and may not speak of the setup
            try:
                os.execve("/bin/sh", ["sh", "-c", req["code"]], dict(os.environ))
            except (OSError, ValueError) as e:  # too long, or with a NUL
                print("sh:", e, file=sys.stderr)
                return
        reseed(req["seed"])
        exit_code, report = run_python(req)
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:
                pass
        data = json.dumps(report).encode("ascii")
        view = memoryview(data)
        while view:
            view = view[os.write(3, view):]
    except BaseException:
        pass
    finally:
        os._exit(exit_code)


# --- the supervisor --------------------------------------------------------


class Watch:
    """One execution, seen from outside."""

    def __init__(self, req, pid, fds, control, tiers, base_anon, group=None):
        self.group = group
        self.req, self.pid, self.control, self.base_anon = req, pid, control, base_anon
        self.others = {"1"} | {str(t.pid) for t in tiers}  # processes that are not the program's
        self.names = dict(zip(fds, ("result", "stdout", "stderr")))
        # Captured texts are ASCII, and escaped once more at most twice as long.
        self.caps = {"stdout": req["output"], "stderr": req["output"], "result": req["capture_bytes"] * 2 + (1 << 20)}
        self.data = {"stdout": bytearray(), "stderr": bytearray(), "result": bytearray()}
        self.size = dict.fromkeys(self.data, 0)
        self.reason = ""

    def kill(self, reason):
        if not self.reason:
            self.reason = reason
        os.kill(self.pid, signal.SIGKILL)

    def read(self, fd):
        """Takes what is there. False at the end of the stream."""
        try:
            part = os.read(fd, 1 << 16)
        except BlockingIOError:
            return True
        name = self.names[fd]
        room = self.caps[name] - self.size[name]
        self.data[name] += part[:max(0, room)]
        self.size[name] += len(part)
        if len(part) > room:
            self.kill("output")
        return bool(part)

    def run(self):
        begun = time.monotonic()
        pidfd = os.pidfd_open(self.pid)
        poll = select.poll()
        for fd in self.names:
            os.set_blocking(fd, False)
            poll.register(fd, select.POLLIN)
        poll.register(pidfd, select.POLLIN)
        poll.register(self.control.sock, select.POLLIN)
        if self.group:
            poll.register(self.group.event, self.group.mask)
        deadline, next_look = begun + self.req["wall"], begun + TICK
        ended, base_cpu = False, None
        if self.group:
            self.group.has_killed()  # what is heard of late was of a program before
        while not ended:
            now = time.monotonic()
            if now >= deadline:
                self.kill("timeout")
                deadline = now + 3600
            if now >= next_look:
                if self.group and self.group.cpu:
                    spent = self.group.cpu_seconds()
                    base_cpu = spent if base_cpu is None else base_cpu
                    held, cpu = 0, spent - base_cpu
                else:
                    held, cpu = survey(self.others, self.base_anon, self.req["memory"])
                # cgroup v1 tells of a lack of memory before it counts the kill.
                if held > self.req["memory"] or self.group and self.group.has_killed():
                    self.kill("memory")
                elif cpu > self.req["cpu"] + 1:
                    self.kill("timeout")
                looked = time.monotonic()
                next_look = looked + max(TICK, looked - now)  # a long look is not all there is to do
            wait = max(0.0, min(deadline, next_look) - now)
            for fd, _ in poll.poll(wait * 1000 + 1):
                if fd == pidfd:
                    ended = True
                elif self.group and fd == self.group.event:
                    if self.group.told():
                        self.kill("memory")
                elif fd == self.control.sock.fileno():
                    if self.control.receive().get("op") == "kill":
                        self.kill("cancelled")
                elif not self.read(fd):
                    poll.unregister(fd)
        os.close(pidfd)
        _, status, usage = os.wait4(self.pid, 0)
        # Everything in the namespace is dead: what is in the pipes is all there will be.
        for fd in self.names:
            while True:
                before = self.size[self.names[fd]]
                if not self.read_last(fd) or self.size[self.names[fd]] == before:
                    break
        if status and not self.reason and self.group and self.group.has_killed():
            self.reason = "memory"
        return self.reply(status, usage, time.monotonic() - begun)

    def read_last(self, fd):
        try:
            return self.read(fd)
        except ProcessLookupError:
            return False

    def reply(self, status, usage, wall):
        return {
            "op": "done", "reason": self.reason,
            "exit_code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else -1,
            "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
            "sizes": [len(data) for data in self.data.values()],
            "truncated": any(self.size[k] > self.caps[k] for k in ("stdout", "stderr")),
            "wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "max_rss": usage.ru_maxrss * 1024,
        }


class Group:
    """What the kernel counts for the programs of this cell, all together."""

    def __init__(self, version, fds):
        self.version, self.event, self.kills = version, fds[0], fds[1]
        self.cpu = fds[2] if len(fds) > 2 else None
        self.mask = select.POLLIN if version == 1 else select.POLLPRI
        self.seen = 0

    def has_killed(self):
        """Whether a process was killed for memory since the last look."""
        count = int(os.pread(self.kills, 4096, 0).split(b"oom_kill ")[1].split()[0])
        before, self.seen = self.seen, count
        return count != before

    def told(self):
        """The same, of an event."""
        if self.version == 1:
            os.read(self.event, 8)
        else:
            os.pread(self.event, 4096, 0)
        return self.has_killed()

    def cpu_seconds(self):
        text = os.pread(self.cpu, 4096, 0)
        return int(text) / 1e9 if self.version == 1 else int(text.split(None, 2)[1]) / 1e6


def survey(others, base_anon, limit):
    """Bytes that the running program holds beyond what it inherited, and the seconds
    of CPU that it has taken.

    Resident anonymous and shared memory is quick to read but counts pages once a
    process; only when it alarms is the exact proportional share summed. What was
    inherited is taken off once: a process that was not forked but begun anew
    inherits nothing.
    """
    held, cpu = {}, 0.0
    for name in os.listdir("/proc"):
        if name.isdigit() and name not in others:
            held[name] = resident(name)
            cpu += cpu_seconds(name)
    rough = sum(held.values())
    if rough - base_anon > limit:
        rough = min(rough, sum(share(pid, most) for pid, most in held.items()))
    return max(0, rough - base_anon), cpu


def share(pid, most):
    """The proportional share of a process, or the most it can be where that is hidden."""
    try:
        with open("/proc/%s/smaps_rollup" % pid, "rb") as f:
            return sum(int(line.split()[1]) * 1024 for line in f if line.startswith((b"Pss_Anon:", b"Pss_Shmem:", b"SwapPss:")))
    except PermissionError:
        return most
    except OSError:
        return 0  # it has ended


def resident(pid):
    total = 0
    try:
        with open("/proc/%s/status" % pid, "rb") as f:
            for line in f:
                if line.startswith((b"RssAnon:", b"RssShmem:", b"VmSwap:")):
                    total += int(line.split()[1]) * 1024
    except OSError:
        pass
    return total


CLOCK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """CPU time of a process and of those it has waited for."""
    try:
        with open("/proc/%s/stat" % pid, "rb") as f:
            return sum(map(int, f.read().rpartition(b")")[2].split()[11:15])) / CLOCK
    except OSError:
        return 0.0


def listen(port):
    """A listener on a port. A program before may have left one there, in flight between
    sockets that only each other hold: the kernel collects them when one is closed."""
    deadline = time.monotonic() + 5
    while True:
        s = socket.socket()
        try:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", port))
            s.listen(64)
            return s
        except OSError as e:
            s.close()
            if e.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise
            for end in socket.socketpair():
                end.close()
            time.sleep(0.01)


def memory_file(data):
    fd = os.memfd_create("request")
    while data:
        data = data[os.write(fd, data):]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def detached(path):
    """A copy of the mounts at a place, attached nowhere."""
    fd = libc.syscall(SYS_OPEN_TREE, ctypes.c_long(AT_FDCWD), path.encode(),
                      ctypes.c_ulong(OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE))
    check(min(fd, 0), "copy the mounts at " + path)
    return fd


def execute(req, config, control, tiers, group):
    listeners = []
    try:
        for port in req["ports"]:
            listeners.append(listen(port))
        control.send({"op": "started"}, [s.fileno() for s in listeners])
    finally:
        for s in listeners:
            s.close()
    tier = tiers[tier_of(req, config["tiers"])]
    reads, mounts = [], []
    try:
        for name in ["session"] + req.get("roots", []):
            mounts.append(detached("/.sessions/%s/%s" % (req["session"], name)))
        pid = start(tier, req, mounts, reads)
        watch = Watch(req, pid, reads, control, tiers, tier.base_anon, group)
        try:
            reply = watch.run()
        except OSError:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise
    finally:
        for fd in reads + mounts:
            os.close(fd)
    control.send(reply, streams=watch.data.values())


def start(tier, req, mounts, reads):
    """Forks a program. reads becomes the ends of the pipes that it writes to."""
    theirs = []
    try:
        for _ in range(3):
            r, w = os.pipe()
            reads.append(r)
            theirs.append(w)
        theirs.insert(1, memory_file(marshal.dumps(req)))
        return tier.fork(theirs + mounts)
    finally:
        for fd in theirs:
            os.close(fd)


# --- sessions --------------------------------------------------------------


def open_session(req, config, control):
    """A session's work folder and its files, in a folder that an execution takes its
    mounts from. The files of the host come as mounts, with the frame."""
    own, roots = "/.sessions/" + req["session"], []
    arriving = arrivals(control, req.get("mounts", 0))
    os.mkdir(own)
    try:
        os.mkdir(own + "/session")
        mount("tmpfs", own + "/session", "tmpfs", MS_NOSUID | MS_NODEV,
              "size=%d,nr_inodes=%d,mode=700,uid=%d,gid=%d" % (req["disk"], req["inodes"], config["uid"], config["uid"]))
        for f in req.get("files", ()):
            root = own + "/" + f["path"].split("/")[1]
            if root not in roots:
                os.mkdir(root)
                mount("tmpfs", root, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
                roots.append(root)
            place(f, own + f["path"], arriving)
        for root in roots:
            mount("none", root, None, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, "mode=755")
    except BaseException:
        for fd in arriving:
            os.close(fd)
        close_session(req)
        raise


def arrivals(control, count):
    """Descriptors, received a batch at a time."""
    while count:
        fds = control.receive_fds(min(count, 128))
        count -= len(fds)
        yield from fds


def place(f, path, arriving):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
    with os.fdopen(fd, "wb") as out:
        out.write(base64.b64decode(f.get("content", "")))
    if not f.get("mount"):
        return
    fd = next(arriving)
    try:
        attach(fd, path)
    finally:
        os.close(fd)


def close_session(req):
    own = "/.sessions/" + req["session"]
    for name in os.listdir(own):
        path = own + "/" + name
        libc.umount2(path.encode(), MNT_DETACH)  # where this fails the folder cannot be removed either
        os.rmdir(path)
    os.rmdir(own)


# --- tiers -----------------------------------------------------------------

IMPORT = re.compile(r"^[ \t]*(?:from[ \t]+(\w+)|import[ \t]+([^#;\n]+))", re.MULTILINE)
TABLES = ('"ndarray"', '"series"', '"frame"', '"index"')


def tier_of(req, tiers):
    """The lowest tier that has loaded what a program imports."""
    if req["language"] != "python":
        return 0
    home = {name.split(".")[0]: level for level, names in reversed(list(enumerate(tiers))) for name in names}
    level = 0
    if any(kind in value for value in req["inject"].values() for kind in TABLES):
        level = home.get("pandas", 0)
    for origin, names in IMPORT.findall(req["code"]):
        for name in [origin] if origin else names.split(","):
            name = name.split()[0].split(".")[0] if name.split() else ""
            if name in home:
                level = max(level, home[name])
            elif name not in sys.stdlib_module_names:
                level = len(tiers) - 1  # a package with needs of its own
    return level


class Tier:
    """A tier as the supervisor knows it."""

    def __init__(self, sock):
        self.control = Control(sock)
        ready = self.control.receive()
        self.pid, self.base_anon = ready["pid"], ready["base_anon"]
        self.threads, self.loaded = ready["threads"], ready["loaded"]

    def fork(self, fds):
        """Starts a child with its result pipe, its request, its output and its mounts."""
        socket.send_fds(self.control.sock, [b"f"], fds)
        (pid,) = struct.unpack("=i", self.control._exactly(4))
        if pid < 0:
            raise OSError(-pid, "clone: " + os.strerror(-pid))
        return pid


def start_tiers(config, control):
    """Starts a process for each tier, one from the other."""
    pairs = [socket.socketpair() for _ in config["tiers"]]
    if os.fork() == 0:
        control.sock.close()
        for ours, _ in pairs:
            ours.close()
        serve_tier(config, 0, [Control(theirs) for _, theirs in pairs])
    for _, theirs in pairs:
        theirs.close()
    return [Tier(ours) for ours, _ in pairs]


def serve_tier(config, level, controls, held=()):
    try:
        held = [held, reserve(RESERVE[min(level, len(RESERVE) - 1)])]
        loaded = load(config["tiers"][level])
        if level + 1 < len(controls) and clone(CLONE_PARENT) == 0:
            serve_tier(config, level + 1, controls, held)
        held.clear()
        settle(config)
        control = Control(socket.socket(fileno=fcntl.fcntl(controls[level].sock, fcntl.F_DUPFD_CLOEXEC, 100)))
        for each in controls:
            each.sock.detach()
        os.closerange(3, 100)  # another tier's death must show, and what comes be numbered from 3
        drop_bounding_set()
        config["filter"] = seccomp_program(config["seccomp"])
        control.send({"pid": os.getpid(), "base_anon": config["base_anon"], "threads": threads(), "loaded": loaded})
        while True:
            fds = control.receive_fds(16)
            try:
                pid = clone(config.get("namespaces", NEW_NAMESPACES) | CLONE_PARENT)
                if pid == 0:
                    config.get("child", child)(config, fds)
            except OSError as e:
                pid = -e.errno
            control.sock.send(struct.pack("=i", pid))
            for fd in fds:
                os.close(fd)
    finally:
        os._exit(1)


def drop_bounding_set():
    """What no program may gain is taken from the tier already: it has no use for it."""
    for cap in range(64):
        if libc.prctl(PR_CAPBSET_DROP, ctypes.c_ulong(cap), 0, 0, 0) != 0:
            break


def seccomp_program(filter):
    """A struct sock_fprog, which points to the filter."""
    global seccomp_filter  # it must live as long
    seccomp_filter = ctypes.create_string_buffer(filter, len(filter))
    return struct.pack("=HxxxxxxQ", len(filter) // 8, ctypes.addressof(seccomp_filter))


def load(names):
    loaded = preload(names)
    for name in loaded:
        rehearse(REHEARSALS.get(name, ""))
    return loaded


def settle(config):
    """Makes this process cheap to fork."""
    reseed(0)
    gc.collect()
    gc.freeze()
    use_huge_pages()
    config["base_vm"], config["base_anon"] = vm_size(), resident("self")


def preload(names):
    import importlib
    loaded = []
    for name in names:
        try:
            importlib.import_module(name)
            loaded.append(name)
        except ImportError:
            pass
    return loaded


# Programs that do a little of what programs do, so that what is imported, compiled or
# cached at first use is there before the fork. They hold no data and warn of nothing.
REHEARSALS = {
    "pandas": """
import numpy as np, pandas as pd
frame = pd.DataFrame({"a": [1, 2, 3], "b": [0.5, 1.5, 2.5], "c": ["x", "y", "x"]})
frame.a.sum(), frame.describe(), frame[frame.a > 1], frame.sort_values("b"), str(frame)
frame.groupby("c").b.mean(), frame.merge(frame, on="a"), pd.to_datetime(frame.a)
plain.dumps(frame, 1 << 20), np.arange(6.0).reshape(2, 3).mean()
""",
}


def rehearse(program):
    exec(compile(program, "<rehearsal>", "exec"), {"plain": plain})


RESERVE = 32, 0, 64  # MiB, about what the objects of a tier and the next take


def reserve(size):
    """Has the allocator of objects map so many MiB in one piece, before libraries come to
    lie between its arenas. They stay as long as the one object in each that is kept."""
    objects = [None] * (size * 2048)
    for i in range(len(objects)):
        objects[i] = bytes(450)
    return objects[::1500]


def use_huge_pages():
    """Moves the heap to pages of 2 MiB, where the kernel can. A fork copies one entry for
    each rather than 512, and the exit of the child drops as many."""
    with open("/proc/self/maps") as f:
        regions = [line.split() for line in f]
    for region in regions:
        if region[1] != "rw-p" or region[5:] not in ([], ["[heap]"]):
            continue
        begin, end = (int(address, 16) for address in region[0].split("-"))
        for address in range(-(-begin // HUGE) * HUGE, end // HUGE * HUGE, HUGE):
            libc.madvise(ctypes.c_void_p(address), ctypes.c_size_t(HUGE), MADV_COLLAPSE)


def vm_size():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[0]) * resource.getpagesize()


def threads():
    with open("/proc/self/status") as f:
        for line in f:
            if line.startswith("Threads:"):
                return int(line.split()[1])


def open_streams():
    """Standard streams as programs get them: each has its own behind the numbers."""
    sys.stdin = open(0, "r", encoding="utf-8", closefd=False)
    sys.stdout = open(1, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False, buffering=1)
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr


def main():
    control = Control(socket.socket(fileno=3))
    config = control.receive()
    config["seccomp"] = base64.b64decode(config["seccomp"])
    site.setquit()  # -S leaves out exit() and quit(), which programs use
    site.sethelper()
    sys.path.remove(os.path.dirname(os.path.abspath(__file__)))
    open_streams()
    tiers = start_tiers(config, control)
    watched = list(arrivals(control, config.get("watched", 0)))  # not before: tiers need none of it
    group = Group(config["cgroup"], watched) if watched else None
    # Sessions are mounted where the tiers, and what is forked from them, do not see them.
    check(libc.unshare(CLONE_NEWNS), "unshare the mounts")
    mount("tmpfs", "/.sessions", "tmpfs", MS_NOSUID | MS_NODEV, "mode=700,size=1m")
    if max([threads()] + [t.threads for t in tiers]) > 1:
        control.send({"op": "failed", "what": "a preloaded package started a thread"})
        return
    control.send({"op": "ready", "loaded": sum((t.loaded for t in tiers), [])})
    while True:
        req = control.receive()
        try:
            if req["op"] == "run":
                execute(req, config, control, tiers, group)
                continue
            if req["op"] == "open":
                open_session(req, config, control)
            elif req["op"] == "close":
                close_session(req)
            elif req["op"] == "kill":
                continue  # it ended by itself in the meantime
            control.send({"op": "done"})
        except OSError as e:
            control.send({"op": "failed", "what": str(e)})


if __name__ == "__main__":
    main()
