trap '' XFSZ
if truncate -s 1T /tmp/x 2>/dev/null; then echo "BREACHED 1 TB: made"; else echo "refused 1 TB: truncate fails"; fi
