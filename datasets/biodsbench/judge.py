# Runs a task's assertions on values handed over as plain data, in a sandbox that
# the agent never touched. Given as variables: tests, imports, tables, captured
# (name to value) and tag, which marks rebuilt objects and the verdict and which
# no value can know. The verdict goes out in answer.
import ast
import json
import warnings


def judge(tests, imports, tables, captured, tag):
    warnings.simplefilter("ignore")

    def rebuild(value):
        if type(value) is dict:
            if tag in value:
                return build(value[tag], value["attrs"])
            return {key: rebuild(entry) for key, entry in value.items()}
        if type(value) is list:
            return [rebuild(entry) for entry in value]
        if type(value) is tuple:
            return tuple(rebuild(entry) for entry in value)
        return value

    def build(kind, attrs):
        if kind == "bars":
            return tuple(attrs["patches"])
        import lifelines

        # The fitter computes some of these from a fit that is not here.
        class Fitted(lifelines.KaplanMeierFitter):
            event_observed = durations = median_survival_time_ = None

            def __init__(self):
                pass

        fitted = Fitted()
        fitted.__dict__.update(attrs)
        return fitted

    verdict = {"tag": tag, "asserts": 0, "passed": 0, "error": ""}
    program = ast.parse(tests)
    passed = set()

    class Count(ast.NodeTransformer):
        def visit_Assert(self, node):
            number = verdict["asserts"]
            verdict["asserts"] += 1
            done = ast.Expr(ast.Call(ast.Name("__passed__", ast.Load()), [ast.Constant(number)], []))
            return [node, ast.copy_location(done, node)]

    program = ast.fix_missing_locations(Count().visit(program))
    names = {"__name__": "__main__", "__passed__": passed.add}
    try:
        for line in imports:
            exec(line, names)
        for table in tables:
            import pandas

            names[table] = pandas.read_csv("/workdir/" + table + ".csv")
        for name, value in captured.items():
            names[name] = rebuild(value)
        exec(compile(program, "tests", "exec"), names)
    except BaseException as error:
        verdict["error"] = type(error).__name__
    verdict["passed"] = len(passed)
    return json.dumps(verdict)


answer = judge(tests, imports, tables, captured, tag)
