// Package sandbox runs Python written by a language model, and shows it nothing
// but what it is given.
//
// Two backends meet one interface: namespace (embedded, a fork of a warm
// interpreter per execution) and docker. What a backend cannot enforce on a
// machine it reports in Info.Controls; nothing is assumed.
package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"time"
)

// Sandbox opens sessions. It is safe for concurrent use.
type Sandbox interface {
	// Open starts a session: a private work folder that lasts from execution to
	// execution, and the files and services that it is given. No interpreter state
	// carries over. ErrUnavailable (wrapped) says that this machine cannot.
	Open(ctx context.Context, spec Spec) (Session, error)
	// Info says what runs and what is enforced.
	Info() Info
	// Close ends every session and leaves no process, mount or folder behind.
	Close() error
}

// Session is one agent's sandbox for one attempt. Executions of a session run
// one after the other.
type Session interface {
	// Run executes one program to its end, or to a limit. What the program does is
	// told in Result.Status; an error means that the sandbox itself failed or that
	// ctx was cancelled, and says nothing about the program.
	Run(ctx context.Context, cmd Command) (Result, error)
	// Close removes the session's work folder.
	Close() error
}

// ErrUnavailable says that a backend cannot run on this machine.
var ErrUnavailable = errors.New("sandbox unavailable")

// Spec is what a session is given.
type Spec struct {
	Name     string // for logs: the trajectory id
	Files    []File
	Services []Service
	Limits   Limits // zero fields take the backend's defaults
}

// File is bound read-only into the session. Exactly one of HostPath and Content
// is set.
type File struct {
	Path     string // absolute, below /workdir or /data
	HostPath string
	Content  []byte
}

// Service is a port on the sandbox's own loopback whose connections are served on
// the host. It is the only way out, and only to Handle.
type Service struct {
	Port   int
	Handle func(ctx context.Context, conn net.Conn) // closes conn
}

// Limits bound one execution.
type Limits struct {
	Wall      time.Duration // run time, default 120 s
	CPU       time.Duration // default Wall
	Memory    int64         // bytes, default 2 GiB
	Output    int64         // bytes of stdout and of stderr each, default 1 MiB
	Capture   int64         // bytes of captured values, default 16 MiB
	Disk      int64         // bytes of the work folder, default 512 MiB
	Inodes    int64         // files of the work folder, default 65,536
	Processes int           // default 128
}

// Defaults fills the zero fields.
func (l Limits) Defaults() Limits {
	def := func(v *int64, d int64) {
		if *v == 0 {
			*v = d
		}
	}
	if l.Wall == 0 {
		l.Wall = 120 * time.Second
	}
	if l.CPU == 0 {
		l.CPU = l.Wall
	}
	def(&l.Memory, 2<<30)
	def(&l.Output, 1<<20)
	def(&l.Capture, 16<<20)
	def(&l.Disk, 512<<20)
	def(&l.Inodes, 65536)
	if l.Processes == 0 {
		l.Processes = 128
	}
	return l
}

// Language is what a Command's code is written in.
type Language string

// The languages.
const (
	Python Language = "python"
	Shell  Language = "shell" // /bin/sh -c
)

// Command is one execution.
type Command struct {
	Language Language
	Code     string
	Seed     uint64                     // reseeds random and numpy.random
	Inject   map[string]json.RawMessage // Python variables set first, in the plain codec
	Capture  []Capture                  // Python variables handed over at the end; answer always is
	Wall     time.Duration              // shorter than the session's limit, if set
}

// Capture names a variable, and the attributes to read where the plain codec has
// no form for its value.
type Capture struct {
	Name  string   `json:"name"`
	Attrs []string `json:"attrs,omitempty"`
}

// Status is how an execution ended. The set is closed; a fault of the sandbox is
// an error, never a status.
type Status string

// The statuses.
const (
	StatusOK          Status = "ok"
	StatusError       Status = "error"        // exception, or a non-zero exit
	StatusTimeout     Status = "timeout"      // wall or CPU limit
	StatusMemory      Status = "memory"       // memory limit
	StatusOutputLimit Status = "output_limit" // stdout or stderr above the limit: killed
	StatusKilled      Status = "killed"       // died by a signal: segfault, os.kill
)

// Result is what an execution did. Captured values and output are the program's
// own words: data to judge, never to trust.
type Result struct {
	Status    Status
	ExitCode  int
	Signal    int
	Stdout    []byte // valid UTF-8: other bytes are replaced
	Stderr    []byte // valid UTF-8, without host paths
	Truncated bool

	ErrorType    string // exception type: KeyError
	ErrorMessage string
	ErrorLine    int // line of Code, from 1; 0 unknown

	Answer   json.RawMessage            // nil if the variable was not set
	Captured map[string]json.RawMessage // variables that were not set are absent

	Wall   time.Duration
	CPU    time.Duration
	MaxRSS int64

	Controls []string // that were on: names of ControlNames, sorted
}

// Info describes a backend on this machine.
type Info struct {
	Backend           string
	EnvironmentDigest string    // of the Python environment's lock file and version
	Controls          []Control // every one of ControlNames, in that order
}

// Control is one protection, and how a backend keeps it on this machine.
type Control struct {
	Name string `json:"name"`          // one of ControlNames
	How  string `json:"how,omitempty"` // what keeps it, "cgroup v2" for instance; empty where nothing does
	Gap  string `json:"gap,omitempty"` // what is missing, and what mends it; beside How where it is kept in part
}

// ControlNames are the protections that a backend keeps or reports as missing.
var ControlNames = []string{
	"capabilities",  // a program has none
	"cpu",           // CPU time is limited
	"disk",          // bytes of the folders that a program may write to
	"fresh_process", // nothing of an execution is alive or in memory in the next one
	"inodes",        // files in those folders
	"ipc",           // no shared memory, queue or semaphore with others
	"landlock",      // a second lock on the file system, beside the mounts
	"memory",        // counted for all of a program's processes, files and kernel memory
	"mount",         // it sees only its own files
	"net",           // it reaches only the services that it was given
	"no_new_privs",  // no setuid program raises it
	"output",        // stdout and stderr are limited
	"pid",           // it sees and signals only its own processes
	"processes",     // their number is limited
	"rootfs_readonly",
	"seccomp", // system calls that no analysis needs are refused
	"uid",     // it runs under a user that owns nothing of the host
	"user",    // its users are not the host's
	"uts",     // it does not see or set the host's name
	"wall",    // run time is limited
}

// Enforced lists the names of the controls that are kept, in part at least.
func (i Info) Enforced() []string {
	var names []string
	for _, c := range i.Controls {
		if c.How != "" {
			names = append(names, c.Name)
		}
	}
	return names
}

// Gaps lists what is not kept, or not wholly, as "name: what is missing".
func (i Info) Gaps() []string {
	var gaps []string
	for _, c := range i.Controls {
		if c.Gap != "" {
			gaps = append(gaps, c.Name+": "+c.Gap)
		}
	}
	return gaps
}
