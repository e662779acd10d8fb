# status: timeout
# It meets the limit of CPU time, not that of run time.
while True:
    pass
