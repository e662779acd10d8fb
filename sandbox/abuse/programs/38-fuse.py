for name in ("/dev/fuse", "/dev/loop-control", "/dev/loop0", "/dev/sda", "/dev/vda", "/dev/nvme0n1", "/dev/mem", "/dev/kmem", "/dev/kvm", "/dev/net/tun", "/dev/mapper/control", "/dev/kmsg", "/dev/vhost-vsock"):
    attempt(name, open, name, "rb")
