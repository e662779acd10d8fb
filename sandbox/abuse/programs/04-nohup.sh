nohup setsid sleep 600 >/dev/null 2>&1 &
(trap '' HUP TERM INT; sleep 600 >/dev/null 2>&1 &)
echo "held a daemon: ends with its ancestor"
