// Package backend holds what the backends share: the words that are spoken with a
// zygote, and how a session's files, services and results are handled on the host.
package backend

// The frames that a zygote understands and sends.
type (
	Config struct {
		Tiers    [][]string `json:"tiers"`              // packages that each warm process loads beyond those before
		Seccomp  []byte     `json:"seccomp"`            // base64 in JSON
		UID      int        `json:"uid"`                // executions run under it; 0 keeps the cell's own
		Landlock int        `json:"landlock,omitempty"` // version of the kernel's, 0 none
		Cgroup   int        `json:"cgroup,omitempty"`   // version of what accounts for executions
		Watched  int        `json:"watched,omitempty"`  // descriptors that follow, of files that tell what it counts
	}
	Order struct {
		Op      string `json:"op"` // open, close
		Session string `json:"session"`
		Disk    int64  `json:"disk,omitempty"`
		Inodes  int64  `json:"inodes,omitempty"`
		Files   []File `json:"files,omitempty"`
		Mounts  int    `json:"mounts,omitempty"` // descriptors that follow: of the files that are mounts, in their order
	}
	Run struct {
		Op        string            `json:"op"`
		Session   string            `json:"session"`
		Code      string            `json:"code"`
		Language  string            `json:"language"`
		Seed      uint64            `json:"seed"`
		Inject    map[string]string `json:"inject"` // texts of the plain codec
		Capture   []Capture         `json:"capture"`
		CaptureB  int64             `json:"capture_bytes"`
		Wall      float64           `json:"wall"` // seconds
		CPU       float64           `json:"cpu"`
		Memory    int64             `json:"memory"`
		Output    int64             `json:"output"`
		Disk      int64             `json:"disk"`
		Inodes    int64             `json:"inodes"`
		Processes int               `json:"processes"`
		Files     []File            `json:"files,omitempty"`
		Roots     []string          `json:"roots,omitempty"` // folders of an opened session that hold files: workdir, data
		Ports     []int             `json:"ports"`
	}
	Capture struct {
		Name  string   `json:"name"`
		Attrs []string `json:"attrs"`
	}
	File struct {
		Path    string `json:"path"`
		Host    string `json:"-"`               // lies there on the host
		Mount   bool   `json:"mount,omitempty"` // comes as a mount
		Content []byte `json:"content,omitempty"`
	}
	Reply struct {
		Op        string   `json:"op"` // ready, failed, started, done
		What      string   `json:"what"`
		Loaded    []string `json:"loaded"`
		Reason    string   `json:"reason"` // timeout, memory, output, cancelled
		ExitCode  int      `json:"exit_code"`
		Signal    int      `json:"signal"`
		Sizes     []int    `json:"sizes"` // of stdout, stderr and the result, whose bytes follow
		Truncated bool     `json:"truncated"`
		Wall      float64  `json:"wall"`
		CPU       float64  `json:"cpu"`
		MaxRSS    int64    `json:"max_rss"`

		Stdout, Stderr, Result []byte `json:"-"`
	}
	// Report is what the child itself says in Reply.Result.
	Report struct {
		Setup        string            `json:"setup"` // the child could not be made ready
		ErrorType    string            `json:"error_type"`
		ErrorMessage string            `json:"error_message"`
		ErrorLine    int               `json:"error_line"`
		Captured     map[string]string `json:"captured"`
	}
)
