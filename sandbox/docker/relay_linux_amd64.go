package docker

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/internal/backend"
)

// window is how many bytes of a connection are under way in one direction, as the
// supervisor has it too. It keeps one connection from holding up the stream.
const window = 256 << 10

// relay carries the connections of a program to the session's services.
type relay struct {
	send      func(any) error
	listeners map[int]*listener
	mu        sync.Mutex
	links     map[int]*link
	group     sync.WaitGroup
}

func newRelay(services []sandbox.Service, send func(any) error) (*relay, []net.Listener) {
	r := &relay{send: send, listeners: map[int]*listener{}, links: map[int]*link{}}
	var open []net.Listener
	for _, s := range services {
		l := &listener{port: s.Port, come: make(chan net.Conn), closed: make(chan struct{})}
		r.listeners[s.Port] = l
		open = append(open, l)
	}
	return r, open
}

// receive takes a frame that speaks of a connection. It never waits for a handler.
func (r *relay) receive(f frame) error {
	if f.Op == "connect" {
		l := r.listeners[f.Port]
		if l == nil {
			return fmt.Errorf("a connection to port %d, which no service has", f.Port)
		}
		return r.connect(l, f.Conn)
	}
	r.mu.Lock()
	k := r.links[f.Conn]
	r.mu.Unlock()
	if k != nil {
		k.receive(f)
	}
	return nil
}

// connect offers a new connection to the service.
func (r *relay) connect(l *listener, number int) error {
	ours, theirs, err := socketpair()
	if err != nil {
		return err
	}
	k := &link{relay: r, number: number, conn: ours, room: window}
	k.change = sync.NewCond(&k.mu)
	r.mu.Lock()
	r.links[number] = k
	r.mu.Unlock()
	r.group.Go(k.deliver)
	r.group.Go(k.collect)
	r.group.Go(func() {
		select {
		case l.come <- theirs:
		case <-l.closed:
			_ = theirs.Close()
		}
	})
	return nil
}

// stop waits for what is under way once the services have been stopped.
func (r *relay) stop() {
	r.mu.Lock()
	for _, k := range r.links {
		k.receive(frame{Reply: backend.Reply{Op: "closed"}})
	}
	r.mu.Unlock()
	r.group.Wait()
}

// link is one connection: the service has the other end of conn.
type link struct {
	relay  *relay
	number int
	conn   *net.UnixConn

	mu      sync.Mutex
	change  *sync.Cond
	waiting [][]byte // for the service
	room    int      // bytes that the program may still be sent
	ended   bool     // the program says no more
	closed  bool     // it does not listen either
}

func (k *link) receive(f frame) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch f.Op {
	case "data":
		k.waiting = append(k.waiting, f.Content)
	case "took":
		k.room += f.Bytes
	case "end":
		k.ended = true
	case "closed":
		k.ended, k.closed = true, true
		_ = k.conn.CloseRead() // wakes collect
	}
	k.change.Broadcast()
}

// deliver passes on what the program says.
func (k *link) deliver() {
	for {
		k.mu.Lock()
		for len(k.waiting) == 0 && !k.ended {
			k.change.Wait()
		}
		parts := k.waiting
		k.waiting = nil
		k.mu.Unlock()
		if len(parts) == 0 {
			_ = k.conn.CloseWrite() // a service that has closed hears no more
			return
		}
		for _, part := range parts {
			if _, err := k.conn.Write(part); err != nil {
				continue // nobody hears it: taken all the same
			}
			_ = k.relay.send(linkFrame{Op: "took", Conn: k.number, Bytes: len(part)}) // a broken stream shows where it is read
		}
	}
}

// collect passes on what the service says, and then closes the program's end.
func (k *link) collect() {
	defer func() {
		k.relay.mu.Lock()
		delete(k.relay.links, k.number)
		k.relay.mu.Unlock()
		k.receive(frame{Reply: backend.Reply{Op: "end"}}) // deliver ends too
		_ = k.relay.send(linkFrame{Op: "end", Conn: k.number})
		_ = k.conn.Close()
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := k.conn.Read(buffer[:k.wait(len(buffer))])
		if err != nil || n == 0 {
			return
		}
		k.mu.Lock()
		k.room -= n
		k.mu.Unlock()
		if err := k.relay.send(linkFrame{Op: "data", Conn: k.number, Content: buffer[:n]}); err != nil {
			return
		}
	}
}

// wait says how much may be sent, at least one byte and at most n.
func (k *link) wait(n int) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	for k.room == 0 && !k.closed {
		k.change.Wait()
	}
	return max(1, min(n, k.room))
}

// listener is where a service accepts the connections of a program.
type listener struct {
	port   int
	come   chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.come:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *listener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: l.port} }

func socketpair() (ours *net.UnixConn, theirs net.Conn, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("connect a service: %w", err)
	}
	var ends [2]net.Conn
	for i, fd := range pair {
		file := os.NewFile(uintptr(fd), "connection")
		conn, fault := net.FileConn(file)
		err = errors.Join(err, fault, file.Close())
		ends[i] = conn
	}
	if err != nil {
		for _, end := range ends {
			if end != nil {
				err = errors.Join(err, end.Close())
			}
		}
		return nil, nil, fmt.Errorf("connect a service: %w", err)
	}
	return ends[0].(*net.UnixConn), ends[1], nil
}
