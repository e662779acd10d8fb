for flag in --user --mount --net --pid --ipc --uts --cgroup; do
	if unshare $flag true 2>/dev/null; then echo "BREACHED unshare $flag: done"; else echo "refused unshare $flag: it fails"; fi
done
if nsenter -t 1 -m true 2>/dev/null; then echo "BREACHED nsenter: done"; else echo "refused nsenter: it fails"; fi
