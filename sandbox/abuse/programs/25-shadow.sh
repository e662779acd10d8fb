# outside: breaks
for f in /etc/shadow /root/.bashrc /root/.profile; do
	if cat "$f" >/dev/null 2>&1; then echo "BREACHED $f: read"; else echo "refused $f: cat fails"; fi
done
