import glob
import json as package
names = ["/data/database.sqlite", "/workdir/data.csv", "/opt/medgym/zygote.py", "/opt/medgym/plain.py", "/bin/sh", "/etc/passwd", "/etc/ld.so.cache",
         package.__file__, package.__cached__ or package.__file__] + glob.glob("/opt/env/pandas/__init__.py") + glob.glob("/opt/env/pandas/__pycache__/__init__*.pyc")
for name in names:
    attempt("append to " + name, open, name, "ab")
    attempt("mode of " + name, os.chmod, name, 0o777)
    attempt("remove " + name, os.unlink, name)
    attempt("replace " + name, os.rename, name, name + ".old")
    attempt("times of " + name, os.utime, name)
    attempt("truncate " + name, os.truncate, name, 0)
for folder in ("/opt/env", "/opt/env/pandas", "/opt/env/pandas/__pycache__", "/opt/medgym", "/data", "/workdir", os.path.dirname(package.__file__)):
    attempt("a file in " + folder, open, os.path.join(folder, "sitecustomize.py"), "w")
    attempt("a folder in " + folder, os.mkdir, os.path.join(folder, "medgym-abuse"))
