package namespace

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/medgym-data/medgym-data/sandbox/internal/backend"
	"github.com/medgym-data/medgym-data/sandbox/python"
)

// initName is the program name under which a copy of this program becomes a cell.
const initName = "medgym-sandbox-cell"

// File descriptors of a beginning cell, after the standard three.
const (
	controlFD = 3 // the control socket; the zygote inherits it
	planFD    = 4 // a pipe with the plan
)

// plan tells a beginning cell what its root shall hold.
type plan struct {
	Site        string // packages, becomes /opt/env
	Prefix      string // of the interpreter's installation
	Stdlib      string
	Interpreter string
}

// Init turns a process that this package started into a cell, and returns at once
// in every other. It must be the first call of main.
func Init() {
	if len(os.Args) == 0 {
		return
	}
	var err error
	switch os.Args[0] {
	case initName:
		runtime.LockOSThread()
		err = begin() // the zygote runs then, unless something failed: the host reads why
	case furnisherName:
		err = furnish()
	case idleName:
		err = unix.Pause() // until it is killed
	default:
		return
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(125)
}

func begin() error {
	// The host's TMPDIR does not exist here.
	var p plan
	source := os.NewFile(planFD, "plan")
	if err := json.NewDecoder(source).Decode(&p); err != nil {
		return fmt.Errorf("read the plan: %w", err)
	}
	if err := source.Close(); err != nil {
		return err
	}
	layout, err := buildRoot(p)
	if err != nil {
		return err
	}
	if err := raiseLoopback(); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte("sandbox")); err != nil {
		return fmt.Errorf("set host name: %w", err)
	}
	// The host's place in the tree of cgroups is its own business. Not every kernel has them.
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("make a cgroup namespace: %w", err)
	}
	// Files are made with exactly the modes that are asked for.
	unix.Umask(0o022)
	unix.CloseOnExec(controlFD)
	if _, err := unix.FcntlInt(controlFD, unix.F_SETFD, 0); err != nil {
		return fmt.Errorf("keep the control socket: %w", err)
	}
	if err := restrict(); err != nil {
		return err
	}
	return fmt.Errorf("start %s: %w", layout.python,
		unix.Exec(layout.python, []string{"python", "-s", "-S", "/opt/medgym/zygote.py"}, layout.environment))
}

// restrict puts this thread, and what it becomes, under the filter of a cell.
func restrict() error {
	filter, err := backend.CellFilter()
	if err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	program := unix.SockFprog{Len: uint16(len(filter) / 8), Filter: (*unix.SockFilter)(unsafe.Pointer(&filter[0]))}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0); err != nil {
		return fmt.Errorf("filter the cell's system calls: %w", err)
	}
	runtime.KeepAlive(filter)
	return nil
}

// layout is where things lie inside a cell.
type layout struct {
	python      string
	environment []string
}

const oldRoot = "/host" // where the host's tree is for a moment

const newRoot = "/tmp" // any folder that is on every system; the host's own stays as it is

// root builds the cell's root on a tmpfs.
type root struct{ err error }

// path is a place in the new root.
func (r *root) path(name string) string { return filepath.Join(newRoot, name) }

func (r *root) do(what string, err error) {
	if r.err == nil && err != nil {
		r.err = fmt.Errorf("build the root: %s: %w", what, err)
	}
}

func (r *root) dir(name string, mode fs.FileMode) {
	r.do("make "+name, os.MkdirAll(r.path(name), 0o755))
	if mode != 0o755 {
		r.do("make "+name, os.Chmod(r.path(name), mode))
	}
}

func (r *root) file(name, content string) {
	r.dir(filepath.Dir(name), 0o755)
	r.do("write "+name, os.WriteFile(r.path(name), []byte(content), 0o444))
}

func (r *root) link(target, name string) { r.do("link "+name, os.Symlink(target, r.path(name))) }

func (r *root) tmpfs(name, options string) {
	r.dir(name, 0o755)
	r.do("mount "+name, unix.Mount("tmpfs", r.path(name), "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, options))
}

// source holds a host file open, so that it can be bound after mounts have covered
// its name. It is nil where there is none.
func (r *root) source(name string) *os.File {
	fd, err := unix.Open(name, unix.O_PATH|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		r.do("open "+name, err)
		return nil
	}
	return os.NewFile(uintptr(fd), name)
}

// bind puts a host folder or file into the root, read-only with all below it.
func (r *root) bind(from *os.File, name string, attributes uint64) {
	if from == nil || r.err != nil {
		return
	}
	var info unix.Stat_t
	r.do("look at "+from.Name(), unix.Fstat(int(from.Fd()), &info))
	if info.Mode&unix.S_IFMT == unix.S_IFDIR {
		r.dir(name, 0o755)
	} else {
		r.file(name, "")
	}
	target := r.path(name)
	r.do("bind "+name, unix.Mount(fmt.Sprintf("/proc/self/fd/%d", from.Fd()), target, "", unix.MS_BIND|unix.MS_REC, ""))
	r.do("seal "+name, unix.MountSetattr(unix.AT_FDCWD, target, unix.AT_RECURSIVE, &unix.MountAttr{
		Attr_set: attributes, Propagation: unix.MS_PRIVATE}))
	r.do("close "+name, from.Close())
}

const (
	readOnly = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV
	device   = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC // a bound device node must stay one
)

var (
	systemFolders = []string{"/usr/bin", "/usr/lib", "/usr/lib64", "/usr/lib32", "/usr/share/zoneinfo", "/bin", "/lib", "/lib64"}
	systemFiles   = []string{"/etc/ld.so.cache"}
	devices       = []string{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"}
)

func buildRoot(p plan) (layout, error) {
	r := &root{}
	r.do("make mounts private", unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))

	type bound struct {
		from       *os.File
		to         string
		attributes uint64
	}
	var binds []bound
	var links [][2]string
	for _, dir := range systemFolders {
		if target, err := os.Readlink(dir); err == nil {
			links = append(links, [2]string{target, dir}) // merged /usr: /bin is a link
			continue
		}
		binds = append(binds, bound{r.source(dir), dir, readOnly})
	}
	for _, name := range systemFiles {
		binds = append(binds, bound{r.source(name), name, readOnly})
	}
	for _, name := range devices {
		binds = append(binds, bound{r.source(name), name, device})
	}
	prefix := p.Prefix
	if prefix != "/usr" {
		prefix = "/opt/python" // the host's path is nobody's business
		binds = append(binds, bound{r.source(p.Prefix), prefix, readOnly})
	}
	binds = append(binds, bound{r.source(p.Site), "/opt/env", readOnly})
	inside := func(path string) string { return prefix + strings.TrimPrefix(path, p.Prefix) }
	if !strings.HasPrefix(p.Interpreter, p.Prefix+"/") || !strings.HasPrefix(p.Stdlib, p.Prefix+"/") {
		return layout{}, fmt.Errorf("the interpreter %s and its library %s do not lie below %s", p.Interpreter, p.Stdlib, p.Prefix)
	}

	r.do("mount", unix.Mount("tmpfs", newRoot, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755,size=4m"))
	for _, b := range binds {
		r.bind(b.from, b.to, b.attributes)
	}
	for _, l := range links {
		r.link(l[0], l[1])
	}
	// What else was installed beside the interpreter is not part of the environment.
	for _, dir := range []string{inside(p.Stdlib) + "/site-packages", "/usr/lib/python3/dist-packages"} {
		if _, err := os.Stat(r.path(dir)); err == nil {
			r.do("cover "+dir, unix.Mount("tmpfs", r.path(dir), "tmpfs", unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, "mode=755,size=4k"))
		}
	}
	r.file("/opt/medgym/zygote.py", string(python.Zygote))
	r.file("/opt/medgym/plain.py", string(python.Plain))
	r.dir("/opt/medgym/bin", 0o755)
	for _, name := range []string{"python", "python3"} {
		r.link(inside(p.Interpreter), "/opt/medgym/bin/"+name)
	}
	r.file("/etc/passwd", "root:x:0:0:root:/session:/bin/sh\nnobody:x:65534:65534:nobody:/session:/bin/sh\n")
	r.file("/etc/group", "root:x:0:\nnogroup:x:65534:\n")
	r.file("/etc/hosts", "127.0.0.1 localhost sandbox\n")
	r.file("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n")
	r.file("/etc/resolv.conf", "")
	for target, name := range map[string]string{"/proc/self/fd": "/dev/fd", "/proc/self/fd/0": "/dev/stdin",
		"/proc/self/fd/1": "/dev/stdout", "/proc/self/fd/2": "/dev/stderr"} {
		r.link(target, name)
	}
	for _, dir := range []string{"/dev/shm", "/session", "/workdir", "/data", "/proc", "/.sessions", oldRoot} {
		r.dir(dir, 0o755)
	}
	r.tmpfs("/tmp", "mode=1777,size=64m") // the zygote's own; each execution covers it
	r.do("mount proc", unix.Mount("proc", r.path("/proc"), "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""))
	if r.err != nil {
		return layout{}, r.err
	}

	r.do("enter", unix.Chdir(newRoot))
	r.do("pivot", unix.PivotRoot(".", oldRoot[1:]))
	r.do("enter", unix.Chdir("/"))
	r.do("let go of the host's tree", unix.Unmount(oldRoot, unix.MNT_DETACH))
	r.do("let go of the host's tree", os.Remove(oldRoot))
	r.do("seal", unix.MountSetattr(unix.AT_FDCWD, "/", 0, &unix.MountAttr{Attr_set: readOnly}))
	out := layout{python: inside(p.Interpreter), environment: backend.Environment()}
	if prefix != "/usr" {
		out.environment = append(out.environment, "LD_LIBRARY_PATH="+prefix+"/lib")
	}
	return out, r.err
}

// raiseLoopback brings up the one interface of the cell's network.
func raiseLoopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("raise loopback: %w", err)
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return fmt.Errorf("raise loopback: %w", err)
	}
	req.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req); err != nil {
		return fmt.Errorf("raise loopback: %w", err)
	}
	return nil
}
