package backend

import (
	"encoding/binary"
	"fmt"
	"slices"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Values of linux/seccomp.h and linux/audit.h.
const (
	retKill  = 0x80000000 // the whole process
	retErrno = 0x00050000
	retAllow = 0x7fff0000

	auditArchX8664 = 0xc000003e
	x32Bit         = 0x40000000

	offNumber = 0  // of struct seccomp_data
	offArch   = 4  //
	offArg0   = 16 // low word, little-endian; arguments are 8 bytes apart
)

// namespaceFlags are the clone flags that make namespaces.
const namespaceFlags = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
	unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWTIME

// denied are system calls that no analysis needs and that reach deep into the
// kernel or out of the sandbox. They fail with EPERM, so that a program that
// probes for them goes on.
var denied = []uint32{
	// namespaces, mounts and roots
	unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT,
	unix.SYS_MOVE_MOUNT, unix.SYS_OPEN_TREE, unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK,
	unix.SYS_MOUNT_SETATTR, unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_QUOTACTL, unix.SYS_QUOTACTL_FD,
	unix.SYS_NAME_TO_HANDLE_AT, unix.SYS_OPEN_BY_HANDLE_AT,
	// other processes
	unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PROCESS_MADVISE, unix.SYS_KCMP,
	unix.SYS_PIDFD_GETFD,
	// broad kernel interfaces
	unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD, unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER,
	unix.SYS_IO_URING_REGISTER, unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_FANOTIFY_INIT,
	unix.SYS_LOOKUP_DCOOKIE, unix.SYS_VMSPLICE, unix.SYS_MODIFY_LDT, unix.SYS_PERSONALITY,
	unix.SYS_MEMFD_SECRET, unix.SYS_USELIB, unix.SYS_GET_KERNEL_SYMS, unix.SYS_QUERY_MODULE,
	// memory that no process maps and no limit counts
	unix.SYS_MEMFD_CREATE, unix.SYS_SHMGET, unix.SYS_MSGGET, unix.SYS_SEMGET, unix.SYS_MQ_OPEN,
	// the machine
	unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE, unix.SYS_CREATE_MODULE, unix.SYS_KEXEC_LOAD,
	unix.SYS_KEXEC_FILE_LOAD, unix.SYS_REBOOT, unix.SYS_SYSLOG, unix.SYS_ACCT, unix.SYS_IOPL, unix.SYS_IOPERM,
	unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_CLOCK_ADJTIME, unix.SYS_ADJTIMEX, unix.SYS_SETHOSTNAME,
	unix.SYS_SETDOMAINNAME, unix.SYS_VHANGUP, unix.SYS_USTAT, unix.SYS_SYSFS, unix.SYS_NFSSERVCTL, unix.SYS__SYSCTL,
	// placement of memory on other nodes
	unix.SYS_MBIND, unix.SYS_SET_MEMPOLICY, unix.SYS_MIGRATE_PAGES, unix.SYS_MOVE_PAGES,
	unix.SYS_SET_MEMPOLICY_HOME_NODE,
}

// newest is the last system call that this list was made against. A later one does
// not exist here, so that libc takes the way it takes on an older kernel.
const newest = 456 // futex_requeue

// families are the socket families that a program may open: none leads out of a
// network namespace that has loopback alone.
var families = []uint32{unix.AF_UNIX, unix.AF_INET, unix.AF_INET6}

// protocols are those of a socket: others would have the kernel load a module.
var protocols = []uint32{0, unix.IPPROTO_ICMP, unix.IPPROTO_TCP, unix.IPPROTO_UDP}

// oneOf goes on after itself if what was loaded is one of the values.
func oneOf(load bpf.Instruction, values []uint32, otherwise bpf.Instruction) []bpf.Instruction {
	block := []bpf.Instruction{load}
	for i, v := range values {
		block = append(block, bpf.JumpIf{Cond: bpf.JumpEqual, Val: v, SkipTrue: uint8(len(values) - i)})
	}
	return append(block, otherwise)
}

// furnishing are denied calls that a cell needs all the same, to give a program its
// file systems.
var furnishing = []uint32{unix.SYS_UNSHARE, unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_MOVE_MOUNT, unix.SYS_OPEN_TREE,
	unix.SYS_MOUNT_SETATTR, unix.SYS_MEMFD_CREATE}

// Filter assembles the system-call filter of programs as an array of struct sock_filter.
func Filter() ([]byte, error) { return assemble(denied, namespaceFlags) }

// CellFilter assembles the filter of a cell's own processes, to which that of programs
// is added: what no program may do they may not do either, but for mounts and for the
// namespaces of an execution.
func CellFilter() ([]byte, error) {
	own := slices.DeleteFunc(slices.Clone(denied), func(call uint32) bool { return slices.Contains(furnishing, call) })
	return assemble(own, namespaceFlags&^(unix.CLONE_NEWNS|unix.CLONE_NEWIPC|unix.CLONE_NEWPID))
}

// assemble makes a filter that denies system calls, and clone with any of the flags.
func assemble(denied []uint32, flags uint32) ([]byte, error) {
	ret := func(v uint32) bpf.Instruction { return bpf.RetConstant{Val: v} }
	errno := func(e uint32) bpf.Instruction { return ret(retErrno | e) }
	load := func(off uint32) bpf.Instruction { return bpf.LoadAbsolute{Off: off, Size: 4} }
	equal := func(v uint32, skipTrue, skipFalse uint8) bpf.Instruction {
		return bpf.JumpIf{Cond: bpf.JumpEqual, Val: v, SkipTrue: skipTrue, SkipFalse: skipFalse}
	}

	prog := []bpf.Instruction{
		load(offArch),
		equal(auditArchX8664, 1, 0),
		ret(retKill), // int 0x80 and other ways to another table of calls
		load(offNumber),
		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: x32Bit, SkipFalse: 1},
		errno(uint32(unix.EPERM)),
	}
	prog = append(prog, bpf.JumpIf{Cond: bpf.JumpGreaterThan, Val: newest, SkipFalse: 1}, errno(uint32(unix.ENOSYS)))
	for _, number := range denied {
		prog = append(prog, equal(number, 0, 1), errno(uint32(unix.EPERM)))
	}
	// clone3 hides its flags behind a pointer: libc falls back to clone.
	prog = append(prog, equal(unix.SYS_CLONE3, 0, 1), errno(uint32(unix.ENOSYS)))
	prog = append(prog,
		equal(unix.SYS_CLONE, 0, 4),
		load(offArg0),
		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: flags, SkipFalse: 1},
		errno(uint32(unix.EPERM)),
		ret(retAllow),
	)
	// A terminal's input cannot be forged: TIOCSTI, TIOCLINUX.
	prog = append(prog,
		equal(unix.SYS_IOCTL, 0, 5),
		load(offArg0+8),
		equal(unix.TIOCSTI, 1, 0),
		equal(unix.TIOCLINUX, 0, 1),
		errno(uint32(unix.EPERM)),
		ret(retAllow),
	)
	for _, call := range []uint32{unix.SYS_SOCKET, unix.SYS_SOCKETPAIR} {
		block := oneOf(load(offArg0), families, errno(uint32(unix.EAFNOSUPPORT)))
		block = append(block, oneOf(load(offArg0+16), protocols, errno(uint32(unix.EPROTONOSUPPORT)))...)
		block = append(block, ret(retAllow))
		prog = append(prog, equal(call, 0, uint8(len(block))))
		prog = append(prog, block...)
	}
	prog = append(prog, ret(retAllow))

	raw, err := bpf.Assemble(prog)
	if err != nil {
		return nil, fmt.Errorf("assemble the system-call filter: %w", err)
	}
	out := make([]byte, 0, 8*len(raw))
	for _, ins := range raw {
		out = binary.LittleEndian.AppendUint16(out, ins.Op)
		out = append(out, ins.Jt, ins.Jf)
		out = binary.LittleEndian.AppendUint32(out, ins.K)
	}
	return out, nil
}
