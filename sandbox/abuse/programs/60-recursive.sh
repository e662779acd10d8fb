# status: timeout, killed, error, ok
# wall: 700ms
# A program that begins itself anew, with longer arguments each time.
grow() { sh -c 'exec sh -c "$0" "$0" "$@" x$RANDOM' "$@"; }
held() { echo "held $1: $2"; }
held "a program that grows" "ends at a limit"
s='exec sh -c "$0" "$0" "$@" "$@"'
exec sh -c "$s" "$s" x
