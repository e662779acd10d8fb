# The cache of compiled modules, beside the module and where the environment says.
import py_compile
import json as package
open("/session/evil.py", "w").write("print('evil')")
attempt("a compiled module in place", lambda: py_compile.compile("/session/evil.py", package.__cached__ or "/opt/env/json.pyc", doraise=True))
sys.pycache_prefix = "/session/cache"
py_compile.compile("/session/evil.py")
held("a cache of its own", "no other interpreter looks there")
