# status: timeout
# wall: 500ms
trap '' TERM INT HUP QUIT XCPU ALRM USR1 USR2
while :; do sleep 1; done
