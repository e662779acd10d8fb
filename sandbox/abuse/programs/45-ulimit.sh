for flag in -t -f -v -u -n; do
	if ulimit $flag unlimited 2>/dev/null && [ "$(ulimit $flag)" = unlimited ]; then echo "BREACHED ulimit $flag: unlimited"; else echo "refused ulimit $flag: is kept"; fi
done
