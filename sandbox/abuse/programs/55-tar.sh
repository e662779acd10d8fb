mkdir /tmp/a && cd /tmp/a && head -c 15000000 /dev/zero | gzip > z.gz
if cat z.gz z.gz z.gz z.gz | gzip -dc > big 2>/dev/null; then echo "BREACHED 60 MB from 60 KB: unpacked"; else echo "refused 60 MB from 60 KB: the folder is full"; fi
