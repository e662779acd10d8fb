package docker

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"github.com/docker/docker/api/types"

	"github.com/medgym-data/medgym-data/sandbox/internal/backend"
)

// maxFrame bounds what a container may send at once.
const maxFrame = 512 << 20

// stream is the attached stream of a container: frames of a 4-byte big-endian length
// and JSON. What comes out is packed by the engine, with standard error beside.
type stream struct {
	attached types.HijackedResponse

	left   uint32 // bytes of the packet being read
	stderr notes

	mu sync.Mutex // frames are written whole
}

// Read implements io.Reader for standard output.
func (s *stream) Read(p []byte) (int, error) {
	for s.left == 0 {
		var head [8]byte
		if _, err := io.ReadFull(s.attached.Reader, head[:]); err != nil {
			return 0, err
		}
		size := binary.BigEndian.Uint32(head[4:])
		switch head[0] {
		case 1:
			s.left = size
		case 2:
			if _, err := io.CopyN(&s.stderr, s.attached.Reader, int64(size)); err != nil {
				return 0, err
			}
		default:
			return 0, fmt.Errorf("the engine sends a packet of stream %d", head[0])
		}
	}
	n, err := s.attached.Reader.Read(p[:min(len(p), int(s.left))])
	s.left -= uint32(n)
	return n, err
}

// send writes one frame.
func (s *stream) send(frame any) error {
	text, err := json.Marshal(frame)
	if err != nil {
		return fmt.Errorf("encode a frame: %w", err)
	}
	data := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(text)), uint32(len(text)))
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err = s.attached.Conn.Write(append(data, text...))
	return err
}

// receive reads one frame, and the streams that follow one that ends an execution.
func (s *stream) receive() (frame, error) {
	var head [4]byte
	if _, err := io.ReadFull(s, head[:]); err != nil {
		return frame{}, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxFrame {
		return frame{}, fmt.Errorf("a frame of %d bytes", n)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(s, text); err != nil {
		return frame{}, err
	}
	var f frame
	if err := json.Unmarshal(text, &f); err != nil || f.Op != "done" {
		return f, err
	}
	streams := []*[]byte{&f.Stdout, &f.Stderr, &f.Result}
	if len(f.Sizes) != len(streams) {
		return f, fmt.Errorf("a reply with %d streams", len(f.Sizes))
	}
	for i, n := range f.Sizes {
		if n < 0 || n > maxFrame {
			return f, fmt.Errorf("a stream of %d bytes", n)
		}
		*streams[i] = make([]byte, n)
		if _, err := io.ReadFull(s, *streams[i]); err != nil {
			return f, err
		}
	}
	return f, nil
}

// frame is what a container says: how it is, or what a connection of its program does.
type frame struct {
	backend.Reply
	Conn     int    `json:"conn"`
	Port     int    `json:"port"`
	Bytes    int    `json:"bytes"`
	Content  []byte `json:"content"`
	Version  string `json:"version"`  // of Python
	Landlock int    `json:"landlock"` // its version, 0 none
}

// linkFrame is what the host says of a connection of a program to a service. Both
// sides know data, took (so many bytes were passed on) and end (no more data comes);
// the container also connect and closed.
type linkFrame struct {
	Op      string `json:"op"`
	Conn    int    `json:"conn"`
	Bytes   int    `json:"bytes,omitempty"`
	Content []byte `json:"content,omitempty"`
}

// notes keeps the first bytes of standard error and swallows the rest.
type notes struct {
	mu   sync.Mutex
	kept bytes.Buffer
}

func (n *notes) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.kept.Write(p[:min(len(p), 64<<10-n.kept.Len())])
	return len(p), nil
}

func (n *notes) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.kept.String()
}
