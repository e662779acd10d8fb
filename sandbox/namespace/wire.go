package namespace

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
)

// maxFrame bounds what a cell may send at once.
const maxFrame = 512 << 20

// wire is the control socket of a cell: frames of a 4-byte big-endian length and
// JSON, and file descriptors that ride along.
type wire struct {
	conn *net.UnixConn

	mu  sync.Mutex // stop takes what may still be received
	fds []*os.File // received, not yet taken
}

// Read implements io.Reader and keeps descriptors that come with the bytes.
func (w *wire) Read(p []byte) (int, error) {
	oob := make([]byte, syscall.CmsgSpace(4*16))
	n, oobn, _, _, err := w.conn.ReadMsgUnix(p, oob)
	if oobn > 0 {
		if fault := w.keep(oob[:oobn]); fault != nil {
			return n, fault
		}
	}
	if n == 0 && err == nil {
		return 0, io.EOF
	}
	return n, err
}

func (w *wire) keep(oob []byte) error {
	messages, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return fmt.Errorf("read descriptors: %w", err)
	}
	for _, m := range messages {
		fds, err := syscall.ParseUnixRights(&m)
		if err != nil {
			return fmt.Errorf("read descriptors: %w", err)
		}
		w.mu.Lock()
		for _, fd := range fds {
			w.fds = append(w.fds, os.NewFile(uintptr(fd), "listener")) // Go receives them close-on-exec
		}
		w.mu.Unlock()
	}
	return nil
}

// take hands over the descriptors that have come.
func (w *wire) take() []*os.File {
	w.mu.Lock()
	defer w.mu.Unlock()
	fds := w.fds
	w.fds = nil
	return fds
}

// send writes one frame.
func (w *wire) send(frame any) error {
	text, err := json.Marshal(frame)
	if err != nil {
		return fmt.Errorf("encode a frame: %w", err)
	}
	data := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(text)), uint32(len(text)))
	_, err = w.conn.Write(append(data, text...))
	return err
}

// receive reads one frame into v.
func (w *wire) receive(v any) error {
	var head [4]byte
	if _, err := io.ReadFull(w, head[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxFrame {
		return fmt.Errorf("a frame of %d bytes", n)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(w, text); err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}

// receiveReply reads the frame that ends an execution, and the streams after it.
func (w *wire) receiveReply(reply *replyFrame) error {
	if err := w.receive(reply); err != nil || reply.Op != "done" {
		return err
	}
	streams := []*[]byte{&reply.stdout, &reply.stderr, &reply.result}
	if len(reply.Sizes) != len(streams) {
		return fmt.Errorf("a reply with %d streams", len(reply.Sizes))
	}
	for i, n := range reply.Sizes {
		if n < 0 || n > maxFrame {
			return fmt.Errorf("a stream of %d bytes", n)
		}
		*streams[i] = make([]byte, n)
		if _, err := io.ReadFull(w, *streams[i]); err != nil {
			return err
		}
	}
	return nil
}

// The frames.
type (
	configFrame struct {
		Tiers   [][]string `json:"tiers"`   // packages that each warm process loads beyond those before
		Seccomp []byte     `json:"seccomp"` // base64 in JSON
		UID     int        `json:"uid"`     // executions run under it; 0 keeps the cell's own
	}
	sessionFrame struct {
		Op      string `json:"op"` // open, close
		Session string `json:"session"`
		Disk    int64  `json:"disk,omitempty"`
		Inodes  int64  `json:"inodes,omitempty"`
	}
	runFrame struct {
		Op        string            `json:"op"`
		Session   string            `json:"session"`
		Code      string            `json:"code"`
		Language  string            `json:"language"`
		Seed      uint64            `json:"seed"`
		Inject    map[string]string `json:"inject"` // texts of the plain codec
		Capture   []captureFrame    `json:"capture"`
		CaptureB  int64             `json:"capture_bytes"`
		Wall      float64           `json:"wall"` // seconds
		CPU       float64           `json:"cpu"`
		Memory    int64             `json:"memory"`
		Output    int64             `json:"output"`
		Disk      int64             `json:"disk"`
		Inodes    int64             `json:"inodes"`
		Processes int               `json:"processes"`
		Files     []fileFrame       `json:"files"`
		Ports     []int             `json:"ports"`
	}
	captureFrame struct {
		Name  string   `json:"name"`
		Attrs []string `json:"attrs"`
	}
	fileFrame struct {
		Path    string `json:"path"`
		Host    string `json:"host,omitempty"`
		Content []byte `json:"content,omitempty"`
	}
	replyFrame struct {
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

		stdout, stderr, result []byte
	}
	// report is what the child itself says in replyFrame.result.
	report struct {
		Setup        string            `json:"setup"` // the child could not be made ready
		ErrorType    string            `json:"error_type"`
		ErrorMessage string            `json:"error_message"`
		ErrorLine    int               `json:"error_line"`
		Captured     map[string]string `json:"captured"`
	}
)
