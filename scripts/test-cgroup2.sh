#!/usr/bin/env bash
# The sandbox's tests under cgroup v2 alone and an older kernel, in a virtual machine: Debian's
# cloud kernel under QEMU, with what the tests need of this system on a disk. It runs
# them as root and as an ordinary user to whom a cgroup was given, in about 15 minutes.
#   scripts/test-cgroup2.sh ['TestCgroup|TestSuite']
# Needs root (to read everything) and, from Debian: qemu-system-x86 busybox-static cpio kmod e2fsprogs.
set -euo pipefail
cd "$(dirname "$0")/.."
tests="${1:-TestCgroup|TestHostFiles}"
for tool in qemu-system-x86_64 busybox cpio depmod mke2fs; do
	command -v "$tool" >/dev/null || { echo "$tool is missing: apt-get install qemu-system-x86 busybox-static cpio kmod e2fsprogs" >&2; exit 1; }
done
dir="$(mktemp -d /var/tmp/medgym-cgroup2-XXXXXX)"
trap 'rm -rf "$dir"' EXIT

# The kernel, from its package; nothing is installed.
package="$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image/ {print $2}')"
(cd "$dir" && apt-get download -qq "$package" && dpkg-deb -x linux-image-*.deb kernel)
version="$(ls "$dir/kernel/lib/modules")"

# The disk: the system's programs and libraries, an environment for its interpreter, the tests.
tree="$dir/tree"
mkdir -p "$tree"/{proc,sys,dev,tmp,run,root,etc,usr/bin,usr/lib,opt,var/tmp}
chmod 1777 "$tree/tmp" "$tree/var/tmp"
for link in bin sbin lib lib64; do ln -s "usr/$link" "$tree/$link"; done
cp -a /usr/lib64 "$tree/usr/"
cp -a /usr/bin/{python3.11,sh,dash,bash,env,id,sleep,cat,echo,rm,yes,true,setpriv,ls,mount,chown,mkdir} "$tree/usr/bin/"
mkdir "$tree/usr/sbin"
cp -a /usr/lib/python3.11 "$tree/usr/lib/"
mkdir -p "$tree/usr/lib/python3/dist-packages" "$tree/usr/share"
cp -a /usr/lib/x86_64-linux-gnu "$tree/usr/lib/"
[ ! -e /usr/share/zoneinfo ] || cp -a /usr/share/zoneinfo "$tree/usr/share/"
cp -a /etc/ld.so.cache /etc/passwd /etc/group /etc/nsswitch.conf "$tree/etc/"
export MEDGYM_PYTHON=/usr/bin/python3.11
if [ -z "${MEDGYM_ENV:-}" ]; then
	MEDGYM_ENV="$tree/opt/env" go run ./cmd/medgym-data --quiet doctor --install >/dev/null
else
	cp -a "$MEDGYM_ENV" "$tree/opt/env"
fi
go test -c -o "$tree/opt/suite" ./sandbox/namespace
cat >"$tree/opt/run" <<EOF
#!/bin/bash
export PATH=/usr/bin HOME=/root MEDGYM_PYTHON=/usr/bin/python3.11 MEDGYM_ENV=/opt/env TMPDIR=/var/tmp
mount -t proc proc /proc && mount -t sysfs sys /sys && mount -t devtmpfs dev /dev && mkdir -p /dev/shm && mount -t tmpfs shm /dev/shm
mount -t cgroup2 cgroup2 /sys/fs/cgroup
cd /var/tmp
echo "== root, \$(cat /proc/version)"
echo 'alone in a cgroup of its own, which it divides'
mkdir /sys/fs/cgroup/work
echo "+memory +pids +cpu" >/sys/fs/cgroup/cgroup.subtree_control
(echo \$BASHPID >/sys/fs/cgroup/work/cgroup.procs; exec /opt/suite -test.v -test.run '$tests')
echo "== root: \$?"
echo "== left: \$(cd /sys/fs/cgroup && ls -d medgym* work/medgym* 2>/dev/null)"
echo '== an ordinary user to whom a cgroup was given'
mkdir /sys/fs/cgroup/given
chown -R 4242:4242 /sys/fs/cgroup/given
(echo \$BASHPID >/sys/fs/cgroup/given/cgroup.procs; exec setpriv --reuid 4242 --regid 4242 --clear-groups /opt/suite -test.v -test.run '$tests')
echo "== ordinary: \$?"
echo "== left: \$(cd /sys/fs/cgroup && ls -d medgym* given/medgym* 2>/dev/null)"
/opt/busybox poweroff -f
EOF
chmod 755 "$tree/opt/run"
cp "$(command -v busybox)" "$tree/opt/busybox"
mke2fs -q -t ext4 -d "$tree" "$dir/disk" 4G

# The first programs of the machine: find the disk, run, switch off.
first="$dir/first"
mkdir -p "$first"/{bin,disk,lib/modules/"$version"/kernel,proc,sys,dev}
cp "$(command -v busybox)" "$first/bin/busybox"
for part in drivers/virtio drivers/block/virtio_blk.ko fs/ext4 fs/jbd2 fs/mbcache.ko lib crypto arch/x86/crypto; do
	(cd "$dir/kernel/lib/modules/$version/kernel" && { [ ! -e "$part" ] || find "$part" -name '*.ko' | cpio -pdm --quiet "$first/lib/modules/$version/kernel"; })
done
cp "$dir/kernel/lib/modules/$version"/modules.{order,builtin} "$first/lib/modules/$version/"
depmod -b "$first" "$version"
cat >"$first/init" <<'EOF'
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
for module in virtio_pci virtio_blk crc32c_generic ext4; do /bin/busybox modprobe $module; done
/bin/busybox mount -t ext4 /dev/vda /disk && exec /bin/busybox switch_root /disk /opt/run
EOF
chmod 755 "$first/init"
(cd "$first" && find . | cpio -o -H newc --quiet | gzip -1) >"$dir/initrd"

# Emulated: a machine that is virtual itself often has a /dev/kvm that does not work.
timeout 1800 qemu-system-x86_64 -accel tcg,thread=multi -cpu max,-la57 -smp 2 -m 6G -nographic -no-reboot -nodefaults -serial stdio -net none \
	-kernel "$dir/kernel/boot/vmlinuz-$version" -initrd "$dir/initrd" -append "console=ttyS0 quiet panic=-1" \
	-drive "file=$dir/disk,format=raw,if=virtio,cache=unsafe" </dev/null | tee "$dir/log"
grep -q '^== root: 0' "$dir/log" && grep -q '^== ordinary: 0' "$dir/log"
