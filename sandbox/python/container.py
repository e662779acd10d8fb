"""The supervisor of a container: its process 1, which nothing inside can kill.

Docker has built the walls, once for the session that the container serves. Within
them this does what a cell's supervisor does (zygote.py): it has the same warm
processes, forks a child of theirs for every execution, and watches time, memory and
output. What a cell gets from fresh namespaces is done by hand here: after each
execution every other process is killed and waited for, and /tmp and /dev/shm are
emptied. The warm processes run under the program's user: a Landlock domain keeps
its signals from them, and a system-call filter what else could reach them.

Frames go over the one attached stream, standard input and output; what is connected
to the session's services goes over it too, within windows, so that it never blocks.
"""
import base64
import ctypes
import itertools
import os
import platform
import resource
import select
import signal
import struct
import sys
import time

import zygote
from zygote import check, libc

PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP = 4, 38, 22
LANDLOCK_SCOPES = 6  # the version from which it keeps signals within a domain
AT_ONCE = 2  # tiers that are started with the container
WINDOW = 1 << 18  # bytes of a connection that are under way in one direction
MAX_CONNS = 64
SCRATCH = ("/tmp", "/dev/shm")


class Stream:
    """The attached stream as the socket that zygote.Control wants."""

    def __init__(self):
        self.input, self.output = os.dup(0), os.dup(1)  # not inherited by what is executed
        null = os.open("/dev/null", os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        os.close(null)

    def recv(self, n):
        return os.read(self.input, n)

    def sendall(self, data):
        view = memoryview(data)
        while view:
            view = view[os.write(self.output, view):]

    def fileno(self):
        return self.input

    def close(self):
        os.close(self.input)
        os.close(self.output)


# --- the child -------------------------------------------------------------


def born(config, fds):
    """Parts a child from the warm processes: its own /proc files become its again."""
    libc.prctl(PR_SET_DUMPABLE, ctypes.c_ulong(1), 0, 0, 0)
    zygote.child(config, fds)


def part(req, *_):
    """Nothing is mounted here; what is kept from the program is named."""
    check(libc.prctl(PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), 0, 0, 0), "no_new_privs")
    program = guard(req["keep"], req["scoped"])
    holder = ctypes.create_string_buffer(program, len(program))
    prog = struct.pack("=HxxxxxxQ", len(program) // 8, ctypes.addressof(holder))
    check(libc.prctl(PR_SET_SECCOMP, ctypes.c_ulong(2), prog, 0, 0), "seccomp")
    # The kernel counts a user's processes over all containers; theirs are counted by
    # the container's own limit.
    req["processes"] = resource.getrlimit(resource.RLIMIT_NPROC)[1]


# System calls of x86-64 and their arguments that name a process: kill, tkill, tgkill,
# rt_sigqueueinfo, rt_tgsigqueueinfo, pidfd_open, prlimit64, sched_setparam,
# sched_setscheduler, sched_setaffinity, sched_setattr, setpriority.
NAMES_PROCESS = ((62, 0), (200, 0), (234, 0), (234, 1), (129, 0), (297, 0), (434, 0), (302, 0), (142, 0), (144, 0), (203, 0),
                 (314, 0), (141, 1))
# setpriority and ioprio_set for all processes of a group or user.
NAMES_MANY = ((141, 0, 1), (141, 0, 2), (251, 0, 2), (251, 0, 3))
SYS_KILL, EVERYBODY = 62, 0xFFFFFFFF


def guard(keep, scoped):
    """A system-call filter that refuses to name one of the processes to be kept."""
    rules = [(call, arg, pid) for call, arg in NAMES_PROCESS for pid in keep] + list(NAMES_MANY)
    rules += [(251, 1, pid) for pid in keep]
    if not scoped:
        rules.append((SYS_KILL, 0, EVERYBODY))
    load, equal, give = 0x20, 0x15, 0x06
    program = b""
    for (call, arg), group in itertools.groupby(sorted(rules), lambda rule: rule[:2]):
        values = [value for _, _, value in group]
        block = [(load, 0, 0, 16 + 8 * arg)]
        block += [(equal, len(values) - i, 0, value) for i, value in enumerate(values[:-1], 1)]
        block += [(equal, 0, 1, values[-1]), (give, 0, 0, 0x00050000 | 1)]
        block = [(load, 0, 0, 0), (equal, 0, len(block), call)] + block
        program += b"".join(struct.pack("=HBBI", *instruction) for instruction in block)
    return program + struct.pack("=HBBI", give, 0, 0, 0x7FFF0000)


# --- connections -----------------------------------------------------------


class Link:
    """A connection of the program to a service."""

    def __init__(self, sock):
        self.sock = sock
        self.room = WINDOW      # bytes that the host may still be sent
        self.waiting = bytearray()  # from the host, for the program
        self.heard = False      # the program has said all
        self.told = False       # the host has


class Relay:
    """The services' ports, and what is connected to them."""

    numbers = itertools.count(1)

    def __init__(self, control, ports):
        self.control, self.poll = control, None
        self.listeners, self.links, self.ids = {}, {}, {}
        try:
            for port in ports:
                sock = zygote.listen(port)
                sock.setblocking(False)
                self.listeners[sock.fileno()] = (sock, port)
        except OSError:
            self.close()
            raise

    def watch(self, poll):
        self.poll = poll
        for fd in self.listeners:
            poll.register(fd, select.POLLIN)

    def close(self):
        for sock, _ in self.listeners.values():
            sock.close()
        for link in self.links.values():
            link.sock.close()

    def owns(self, fd):
        return fd in self.listeners or fd in self.ids

    def ready(self, fd, event):
        if fd in self.listeners:
            return self.accept(fd)
        number = self.ids[fd]
        link = self.links[number]
        over = event & (select.POLLERR | select.POLLHUP)
        try:
            if event & select.POLLOUT:
                self.flush(number, link)
            if number in self.links and not link.heard and link.room and event & ~select.POLLOUT:
                self.hear(number, link)
            elif number in self.links and link.heard and over:
                self.drop(number)
            elif over and not link.room:
                return self.poll.unregister(fd)  # until the host has room for the rest
        except BlockingIOError:
            pass
        except OSError:
            self.drop(number)
        self.expect(number)

    def accept(self, fd):
        sock, port = self.listeners[fd]
        try:
            conn, _ = sock.accept()
        except OSError:
            return
        conn.setblocking(False)
        number = next(self.numbers)
        self.links[number], self.ids[conn.fileno()] = Link(conn), number
        self.poll.register(conn.fileno(), select.POLLIN)
        self.control.send({"op": "connect", "conn": number, "port": port})
        if len(self.links) == MAX_CONNS:
            for fd in self.listeners:
                self.poll.modify(fd, 0)

    def hear(self, number, link):
        part = link.sock.recv(min(link.room, 1 << 16))
        if part:
            link.room -= len(part)
            self.control.send({"op": "data", "conn": number, "content": base64.b64encode(part).decode()})
        else:
            link.heard = True
            self.control.send({"op": "end", "conn": number})

    def flush(self, number, link):
        if link.waiting:
            sent = link.sock.send(link.waiting)
            del link.waiting[:sent]
            self.control.send({"op": "took", "conn": number, "bytes": sent})
        if link.told and not link.waiting:
            self.drop(number)

    def expect(self, number):
        """Waits for what can go on with a connection."""
        link = self.links.get(number)
        if link:
            wanted = select.POLLIN if link.room and not link.heard else 0
            self.poll.register(link.sock, wanted | (select.POLLOUT if link.waiting else 0))

    def drop(self, number):
        link = self.links.pop(number)
        del self.ids[link.sock.fileno()]
        try:
            self.poll.unregister(link.sock)
        except KeyError:
            pass
        link.sock.close()
        if not link.told:
            self.control.send({"op": "closed", "conn": number})
        for fd in self.listeners:
            self.poll.modify(fd, select.POLLIN)

    def receive(self, frame):
        """What the host says of a connection."""
        number = frame["conn"]
        link = self.links.get(number)
        if link is None:
            return  # the program has closed it in the meantime
        try:
            if frame["op"] == "data":
                link.waiting += base64.b64decode(frame["content"])
            elif frame["op"] == "took":
                link.room += frame["bytes"]
            else:
                link.told = True
            self.flush(number, link)
        except BlockingIOError:
            pass
        except OSError:
            self.drop(number)
        self.expect(number)


# --- the supervisor --------------------------------------------------------


class Watch(zygote.Watch):
    """One execution, whose end is made here."""

    def __init__(self, req, pid, fds, control, tiers, base_anon, relay):
        super().__init__(req, pid, fds, control, tiers, base_anon)
        self.tiers, self.relay = tiers, relay
        self.lost = False   # a warm process was killed
        self.ended = None   # status and usage of the program's first process
        self.orphans = 0.0  # seconds of CPU of those that this process has inherited and waited for

    def run(self):
        begun = time.monotonic()
        poll = select.poll()
        for fd in self.names:
            os.set_blocking(fd, False)
            poll.register(fd, select.POLLIN)
        pidfd = os.pidfd_open(self.pid)
        poll.register(pidfd, select.POLLIN)
        poll.register(self.control.sock, select.POLLIN)
        for tier in self.tiers:
            poll.register(tier.control.sock, 0)  # its end is always told
        self.relay.watch(poll)
        fds = {tier.control.sock.fileno() for tier in self.tiers}
        deadline, next_look = begun + self.req["wall"], begun + zygote.TICK
        try:
            while not self.ended:
                now = time.monotonic()
                if now >= deadline:
                    self.kill("timeout")
                    deadline = now + 3600
                if now >= next_look:
                    self.look()
                    looked = time.monotonic()
                    next_look = looked + max(zygote.TICK, looked - now)
                for fd, event in poll.poll(max(0.0, min(deadline, next_look) - now) * 1000 + 1):
                    if fd == pidfd:
                        self.reap()
                    elif fd == self.control.sock.fileno():
                        self.obey(self.control.receive())
                    elif self.relay.owns(fd):
                        self.relay.ready(fd, event)
                    elif fd in fds:
                        self.lost = True
                        self.kill("killed")
                        poll.unregister(fd)
                    elif fd in self.names and not self.read(fd):
                        poll.unregister(fd)
        finally:
            os.close(pidfd)
        wall = time.monotonic() - begun
        self.sweep()
        for fd in self.names:  # nobody is left to write more
            while self.read(fd) and self.more(fd):
                pass
        reply = self.reply(*self.ended, wall)
        if self.lost:
            reply["signal"] = signal.SIGKILL
        return reply

    def more(self, fd):
        return bool(select.select([fd], [], [], 0)[0])

    def kill(self, reason):
        if not self.reason:
            self.reason = reason
        if not self.ended:
            os.kill(self.pid, signal.SIGKILL)

    def obey(self, frame):
        if frame["op"] == "kill":
            self.kill("cancelled")
        elif frame["op"] in ("data", "took", "end"):
            self.relay.receive(frame)

    def look(self):
        self.reap()
        if self.ended:
            return
        held, cpu = zygote.survey(self.others, self.base_anon, self.req["memory"])
        if held > self.req["memory"]:
            self.kill("memory")
        elif cpu + self.orphans > self.req["cpu"] + 1:
            self.kill("timeout")

    def reap(self):
        """Waits for all that have ended. A warm process among them shows at its socket."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.pid:
                self.ended = status, usage
            else:
                self.orphans += usage.ru_utime + usage.ru_stime

    def sweep(self):
        """Kills all but those to be kept, until there are no others."""
        deadline = time.monotonic() + 2
        while True:
            others = [name for name in os.listdir("/proc") if name.isdigit() and name not in self.others]
            if not others:
                return
            for name in others:
                try:
                    os.kill(int(name), signal.SIGKILL)
                except ProcessLookupError:
                    pass
            if time.monotonic() > deadline:
                # They fork as fast as they are killed: at one stroke, with the warm ones.
                os.kill(-1, signal.SIGKILL)
                self.others = {"1"}
                deadline += 30
            self.reap()


def execute(req, config, control, warm):
    tier = warm.tier(zygote.tier_of(req, config["tiers"]))
    tiers = warm.tiers
    req["keep"], req["scoped"] = [1] + [tier.pid for tier in tiers], config["landlock"] >= LANDLOCK_SCOPES
    relay = Relay(control, req["ports"])
    reads = []
    try:
        pid = zygote.start(tier, req, [], reads)
        watch = Watch(req, pid, reads, control, tiers, tier.base_anon, relay)
        reply = watch.run()
    finally:
        for fd in reads:
            os.close(fd)
        relay.close()
    empty_scratch()
    control.send(reply, streams=watch.data.values())


def empty_scratch():
    """Removes what the program has left outside of the work folder."""
    if not any(os.listdir(folder) for folder in SCRATCH):
        return
    # A tree may be deep, and closed to its owner: this is work for the system's tools.
    script = 'rm -rf -- "$@" 2>/dev/null || { chmod -R u+rwx -- "$@"; rm -rf -- "$@"; }'
    left = [os.path.join(folder, name) for folder in SCRATCH for name in os.listdir(folder)]
    for at in range(0, len(left), 500):
        pid = os.posix_spawn("/bin/sh", ["sh", "-c", script, "sh"] + left[at:at + 500], os.environ)
        os.waitpid(pid, 0)


class Warm:
    """The warm processes. The last takes seconds to load what few programs import, and a
    container serves one session: it is started when it is needed."""

    def __init__(self, config, control):
        self.config, self.control = config, control
        self.tiers = self.start(AT_ONCE)

    def start(self, count):
        tiers = zygote.start_tiers(dict(self.config, tiers=self.config["tiers"][:count]), self.control)
        if max([zygote.threads()] + [t.threads for t in tiers]) > 1:
            raise OSError("a preloaded package started a thread")
        return tiers

    def tier(self, level):
        if level >= len(self.tiers):
            more = self.start(level + 1)
            for tier in more[:len(self.tiers)]:
                tier.control.sock.close()  # it ends
                os.waitpid(tier.pid, 0)
            self.tiers += more[len(self.tiers):]
        return self.tiers[level]

    def renew(self):
        """Starts them again where one is dead."""
        if not any(select.select([t.control.sock], [], [], 0)[0] for t in self.tiers):
            return
        for tier in self.tiers:
            tier.control.sock.close()
        try:
            while True:
                os.kill(-1, signal.SIGKILL)
                os.waitpid(-1, 0)
        except (ProcessLookupError, ChildProcessError):
            self.tiers = self.start(AT_ONCE)


def main():
    if os.getpid() != 1:
        sys.exit("container.py kills every process and empties /tmp: it runs as process 1 of a container alone")
    check(libc.prctl(PR_SET_DUMPABLE, ctypes.c_ulong(0), 0, 0, 0), "not dumpable")  # the warm ones neither
    control = zygote.Control(Stream())
    config = control.receive()
    config["seccomp"] = base64.b64decode(config["seccomp"])
    # 1 asks for the version. Where the kernel or the engine's filter has none, it is -1.
    config["landlock"] = max(0, libc.syscall(zygote.SYS_LANDLOCK_CREATE_RULESET, None, ctypes.c_ulong(0), ctypes.c_ulong(1)))
    config["namespaces"], config["child"], config["furnish"] = 0, born, part
    zygote.site.setquit()
    zygote.site.sethelper()
    zygote.open_streams()
    sys.path.remove(os.path.dirname(os.path.abspath(__file__)))
    try:
        warm = Warm(config, control)
        empty_scratch()
    except OSError as e:
        control.send({"op": "failed", "what": str(e)})
        return
    control.send({"op": "ready", "loaded": sum((t.loaded for t in warm.tiers), []), "version": platform.python_version(),
                  "landlock": config["landlock"]})
    while True:
        req = control.receive()
        if req["op"] != "run":
            continue  # of an execution that has ended by itself in the meantime
        try:
            execute(req, config, control, warm)
        except OSError as e:
            control.send({"op": "failed", "what": str(e)})
        warm.renew()


if __name__ == "__main__":
    main()
