# outside: breaks
attempt("memfd_create", os.memfd_create, "x")
call("memfd_create with huge pages", 319, b"x", 4)
call("memfd_secret", 447, 0)
