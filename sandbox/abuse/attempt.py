# In front of every Python program of the abuse suite: what became of an attempt is
# said on stdout, and whatever succeeds says so.
import ctypes
import errno
import json
import os
import sys

libc = ctypes.CDLL(None, use_errno=True)
canary = json.loads(globals().get("canary", "{}"))
MARK = bytes(c ^ 1 for c in b"b`o`sx,ng,uid,inru,")  # not in this text, so that memory can be searched


def say(word, what, why):
    os.write(1, ("%s %s: %s\n" % (word, what, str(why)[:200])).encode("utf-8", "replace"))


def refused(what, why):
    say("refused", what, why)


def held(what, why):
    say("held", what, why)


def breached(what, got):
    say("BREACHED", what, got)


def attempt(what, act, *args):
    """Whatever does not fail has succeeded."""
    try:
        got = act(*args)
    except OSError as e:
        refused(what, e.strerror or type(e).__name__)
    else:
        breached(what, repr(got))


def verdict(what, harmless, got):
    """For what may go on: whether it harms is looked at afterwards."""
    (held if harmless else breached)(what, got)


def call(what, number, *args):
    """A system call by its number, or a function of libc."""
    ctypes.set_errno(0)
    args = [ctypes.c_long(a) if isinstance(a, int) else a for a in args]
    if isinstance(number, str):
        got = getattr(libc, number)(*args)
    else:
        got = libc.syscall(ctypes.c_long(number), *args)
    if got == -1:
        refused(what, os.strerror(ctypes.get_errno()))
    else:
        breached(what, got)


# --- the program -----------------------------------------------------------
