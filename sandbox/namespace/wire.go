package namespace

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"

	"github.com/medgym-data/medgym-data/sandbox/internal/backend"
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

// fdsAtOnce is how many descriptors one message carries: the kernel takes 253.
const fdsAtOnce = 128

// sendFiles sends descriptors after the frame that announces how many.
func (w *wire) sendFiles(files []*os.File) error {
	for batch := range slices.Chunk(files, fdsAtOnce) {
		fds := make([]int, len(batch))
		for i, f := range batch {
			fds[i] = int(f.Fd())
		}
		if _, _, err := w.conn.WriteMsgUnix([]byte{0}, syscall.UnixRights(fds...), nil); err != nil {
			return fmt.Errorf("send descriptors: %w", err)
		}
	}
	return nil
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
	streams := []*[]byte{&reply.Stdout, &reply.Stderr, &reply.Result}
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
	configFrame  = backend.Config
	sessionFrame = backend.Order
	runFrame     = backend.Run
	fileFrame    = backend.File
	replyFrame   = backend.Reply
)
