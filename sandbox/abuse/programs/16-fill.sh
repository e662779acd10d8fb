if dd if=/dev/zero of=/tmp/x bs=1M count=64 2>/dev/null; then echo "BREACHED 64 MB in /tmp: written"; else echo "refused 64 MB in /tmp: dd fails"; fi
if cat /dev/zero > /session/x 2>/dev/null; then echo "BREACHED endless file: written"; else echo "refused endless file: cat fails"; fi
