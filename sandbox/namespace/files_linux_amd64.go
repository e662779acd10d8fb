package namespace

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/medgym-data/medgym-data/sandbox/internal/backend"
)

// furnisherName is the program name under which a copy of this program becomes a
// furnisher, and idleName one that only holds a user namespace open.
const (
	furnisherName = "medgym-sandbox-furnisher"
	idleName      = "medgym-sandbox-idle"
)

// hostFiles makes mounts of single files of the host, read-only and attached nowhere,
// which a cell puts in place. So a cell has of the host what sessions were given and
// nothing to look around in.
//
// Only who has rights over the mounts that a file lies on can do so: this process where
// it is root, and for an ordinary user a process in a mount namespace of its own.
type hostFiles struct {
	spawn  *spawner
	uid    int // of programs; 0 where that is the owner's own
	copies backend.PrivateFiles

	mu        sync.Mutex
	closed    bool
	furnisher *furnisher
	owners    map[owner]*os.File // user namespaces in which a file's owner is the programs' user
}

type owner struct{ uid, gid uint32 }

// mount is a detached mount of a file, to be closed. Programs may read it.
func (h *hostFiles) mount(ctx context.Context, name string) (*os.File, error) {
	var info unix.Stat_t
	if err := unix.Lstat(name, &info); err != nil {
		return nil, err
	}
	if info.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, errors.New("is no regular file")
	}
	if h.uid == 0 || info.Mode&0o004 != 0 {
		return h.detach(name)
	}
	if mount, err := h.lend(name, info); err == nil {
		return mount, nil
	}
	// The file system cannot show a file under another owner.
	copied, err := h.copies.Readable(ctx, name)
	if err != nil {
		return nil, err
	}
	return h.detach(copied)
}

// lend mounts a file so that its owner there is the user of programs.
func (h *hostFiles) lend(name string, info unix.Stat_t) (*os.File, error) {
	if info.Mode&0o400 == 0 {
		return nil, unix.EACCES
	}
	users, err := h.mapped(owner{info.Uid, info.Gid})
	if err != nil {
		return nil, err
	}
	return detach(name, users)
}

// mapped is a user namespace in which an owner is the user of programs.
func (h *hostFiles) mapped(o owner) (*os.File, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, errClosed
	}
	if users := h.owners[o]; users != nil {
		return users, nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	ids := func(id uint32) []syscall.SysProcIDMap {
		return []syscall.SysProcIDMap{{ContainerID: int(id), HostID: h.uid, Size: 1}}
	}
	cmd := &exec.Cmd{Path: self, Args: []string{idleName}, Env: []string{}, Dir: "/", SysProcAttr: &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER, UidMappings: ids(o.uid), GidMappings: ids(o.gid), Pdeathsig: syscall.SIGKILL, Setsid: true}}
	if err := h.spawn.start(cmd); err != nil {
		return nil, err
	}
	users, err := os.Open(fmt.Sprintf("/proc/%d/ns/user", cmd.Process.Pid))
	_ = cmd.Process.Kill() // the open file keeps the namespace
	_ = cmd.Wait()
	if err != nil {
		return nil, err
	}
	if h.owners == nil {
		h.owners = map[owner]*os.File{}
	}
	h.owners[o] = users
	return users, nil
}

// detach makes the mount here, or has a furnisher make it.
func (h *hostFiles) detach(name string) (*os.File, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, errClosed
	}
	if h.furnisher == nil {
		mount, err := detach(name, nil)
		if !errors.Is(err, unix.EPERM) {
			return mount, err
		}
		if h.furnisher, err = startFurnisher(h.spawn); err != nil {
			return nil, err
		}
	}
	mount, err := h.furnisher.detach(name)
	if err != nil && !h.furnisher.alive() {
		h.furnisher.stop()
		h.furnisher = nil // the next file starts another
	}
	return mount, err
}

func (h *hostFiles) close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	if h.furnisher != nil {
		h.furnisher.stop()
	}
	for _, users := range h.owners {
		_ = users.Close()
	}
	if err := h.copies.Close(); err != nil {
		return fmt.Errorf("remove copies of private files: %w", err)
	}
	return nil
}

// detach mounts a file read-only and attaches the mount nowhere. With users its owner
// is another there.
func detach(name string, users *os.File) (*os.File, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, name, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return nil, fmt.Errorf("mount: %w", err)
	}
	mount := os.NewFile(uintptr(fd), name)
	attributes := unix.MountAttr{Attr_set: readOnly | unix.MOUNT_ATTR_NOEXEC, Propagation: unix.MS_PRIVATE}
	if users != nil {
		attributes.Attr_set |= unix.MOUNT_ATTR_IDMAP
		attributes.Userns_fd = uint64(users.Fd())
	}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &attributes); err != nil {
		return nil, errors.Join(fmt.Errorf("seal the mount: %w", err), mount.Close())
	}
	return mount, nil
}

// furnisher is a process that may mount, for a user who may not. It sees the host as
// its user does, runs nothing, and talks to this process alone.
type furnisher struct {
	cmd  *exec.Cmd
	conn *net.UnixConn
	gone chan struct{}
}

func startFurnisher(spawn *spawner) (_ *furnisher, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("start a furnisher: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "furnisher"), os.NewFile(uintptr(pair[1]), "furnisher")
	defer func() { err = errors.Join(err, theirs.Close()) }()
	conn, err := net.FileConn(ours)
	if err := errors.Join(err, ours.Close()); err != nil {
		return nil, fmt.Errorf("start a furnisher: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start a furnisher: %w", err), conn.Close())
	}
	f := &furnisher{conn: conn.(*net.UnixConn), gone: make(chan struct{})}
	f.cmd = &exec.Cmd{Path: self, Args: []string{furnisherName}, Env: []string{}, Dir: "/", ExtraFiles: []*os.File{theirs},
		SysProcAttr: &syscall.SysProcAttr{
			Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
			Pdeathsig:   syscall.SIGKILL, Setsid: true,
		}}
	if err := spawn.start(f.cmd); err != nil {
		return nil, errors.Join(unavailable(err), conn.Close())
	}
	go func() {
		_ = f.cmd.Wait()
		close(f.gone)
	}()
	return f, nil
}

// detach asks for a mount. An answer without one says why.
func (f *furnisher) detach(name string) (*os.File, error) {
	if _, err := f.conn.Write([]byte(name)); err != nil {
		return nil, fmt.Errorf("mount: %w", err)
	}
	w := wire{conn: f.conn}
	answer := make([]byte, 1<<10)
	n, err := w.Read(answer)
	if err != nil {
		return nil, fmt.Errorf("mount: %w", err)
	}
	if fds := w.take(); len(fds) > 0 {
		return fds[0], nil
	}
	return nil, errors.New(string(answer[:n]))
}

func (f *furnisher) alive() bool {
	select {
	case <-f.gone:
		return false
	default:
		return true
	}
}

func (f *furnisher) stop() {
	_ = f.cmd.Process.Kill()
	<-f.gone
	_ = f.conn.Close()
}

// furnish is what a furnisher does until its user's process is gone.
func furnish() error {
	conn, err := net.FileConn(os.NewFile(controlFD, "furnisher"))
	if err != nil {
		return err
	}
	name := make([]byte, unix.PathMax)
	for {
		n, err := conn.Read(name)
		if err != nil {
			return err
		}
		mount, fault := detach(string(name[:n]), nil)
		if fault != nil {
			_, err = conn.Write([]byte(fault.Error()))
		} else {
			_, _, err = conn.(*net.UnixConn).WriteMsgUnix([]byte{0}, unix.UnixRights(int(mount.Fd())), nil)
			err = errors.Join(err, mount.Close())
		}
		if err != nil {
			return err
		}
	}
}

// mounts makes the mounts of a session's files, in their order.
func (h *hostFiles) mounts(ctx context.Context, files []fileFrame) ([]*os.File, error) {
	var mounts []*os.File
	for i, f := range files {
		if f.Host == "" {
			continue
		}
		files[i].Mount = true
		mount, err := h.mount(ctx, f.Host)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("file %s: %w", f.Path, err), closeAll(mounts))
		}
		mounts = append(mounts, mount)
	}
	return mounts, nil
}
