# What would run on the host if anyone unpickled or evaluated it.
import marshal
import pickle
class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/medgym-abuse-pickle",)
text = pickle.dumps(Evil())
answer = {"__reduce__": text, "$": "object", "py/object": "os.system", "!!python/object/apply:os.system": ["touch /tmp/medgym-abuse-yaml"],
          "bytes": marshal.dumps(compile("__import__('os').system('touch /tmp/medgym-abuse-marshal')", "x", "exec")), "evil": Evil(),
          "code": "__import__('os').system('touch /tmp/medgym-abuse-eval')"}
held("a pickle that runs", "leaves as bytes")
