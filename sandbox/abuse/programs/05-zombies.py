# Children that have ended and are not waited for.
made = 0
try:
    while made < 100:
        if os.fork() == 0:
            os._exit(0)
        made += 1
except OSError as e:
    refused("a hundred zombies", e.strerror)
else:
    breached("a hundred zombies", made)
