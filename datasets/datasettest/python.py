# Runs one program as __main__ and reports how it ended, like the sandbox's
# interpreter does.
import json
import random
import sys

request = json.load(sys.stdin)
sys.path[:0] = request["path"]


def run(request):
    import plain

    names = {"__name__": "__main__", "__file__": "<program>", "__builtins__": __builtins__}
    for name, value in (request["inject"] or {}).items():
        names[name] = plain.loads(value)
    random.seed(request["seed"])
    if "numpy" in sys.modules or "numpy" in request["code"]:
        import numpy

        numpy.random.seed(request["seed"])
    report, code = {"error": "", "message": "", "captured": {}}, 0
    try:
        exec(compile(request["code"], "<program>", "exec", dont_inherit=True), names)
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else int(left.code is not None)
        report["error"] = "SystemExit" if code else ""
    except BaseException as error:
        code, report["error"], report["message"] = 1, type(error).__name__, str(error)
        print("Traceback", file=sys.stderr)
    for want in request["capture"]:
        if want["Name"] in names:
            report["captured"][want["Name"]] = plain.dumps(names[want["Name"]], 16 << 20, want["Attrs"] or ())
    with open(request["report"], "w") as out:
        json.dump(report, out)
    sys.exit(code)


run(request)
