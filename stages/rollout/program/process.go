package program

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/medgym-data/medgym-data/pipeline/jsonl"
)

// process is a program that runs.
type process struct {
	number  int
	name    string
	cmd     *exec.Cmd
	in, out *os.File // our ends of its stdin and stdout
	lines   chan line
	reaped  chan struct{} // closed when it has ended
	drained chan struct{} // closed when its stderr has
	log     *record
	stderr  *entry

	broke   Class // why lines was closed
	spilled atomic.Int64
	spill   int64
	flooded atomic.Bool

	mu    sync.Mutex
	gone  bool          // reaped: its id may be another's
	stop  chan struct{} // closed by kill
	ended bool          // stop is closed
}

// line is a line of its stdout.
type line struct {
	text  []byte
	fault jsonl.Fault
}

// starter starts processes from one thread that lives as long as they may: the kernel
// ends a process with the thread that started it, so that none is left behind when
// this program is killed.
type starter struct {
	once sync.Once
	jobs chan func()
}

func (s *starter) do(f func()) {
	s.once.Do(func() {
		s.jobs = make(chan func())
		go func() {
			runtime.LockOSThread() // for good: the thread ends with its last job
			for job := range s.jobs {
				job()
			}
		}()
	})
	done := make(chan struct{})
	s.jobs <- func() { defer close(done); f() }
	<-done
}

// stop ends the thread. Its processes have ended, and no further one is started.
func (s *starter) stop() {
	s.once.Do(func() {})
	if s.jobs != nil {
		close(s.jobs)
		s.jobs = nil
	}
}

// start starts the program in a session of its own: no terminal is its to write to,
// and signals of ours are not sent to it.
func start(on *starter, opts Options, number int, log *record) (*process, error) {
	var ours, theirs [3]*os.File
	closeAll := func(files [3]*os.File) {
		for _, f := range files {
			_ = f.Close()
		}
	}
	for i := range ours {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll(ours)
			closeAll(theirs)
			return nil, &Fault{NotStarted, "no pipe could be made"}
		}
		ours[i], theirs[i] = r, w
	}
	ours[0], theirs[0] = theirs[0], ours[0] // we write what it reads
	cmd := exec.Command(opts.Command[0], opts.Command[1:]...)
	cmd.Env = opts.Environment
	if cmd.Env == nil {
		cmd.Env = []string{} // nil would be our own
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs[0], theirs[1], theirs[2]
	cmd.SysProcAttr = attributes()
	var err error
	on.do(func() { err = cmd.Start() })
	closeAll(theirs)
	if err != nil {
		closeAll(ours)
		detail := ""
		var errno syscall.Errno
		if errors.As(err, &errno) {
			detail = errno.Error()
		}
		return nil, &Fault{NotStarted, detail}
	}
	p := &process{number: number, name: opts.Name, cmd: cmd, in: ours[0], out: ours[1], lines: make(chan line), reaped: make(chan struct{}), drained: make(chan struct{}),
		log: log, stderr: log.entry(strconv.Itoa(number) + ": "), spill: opts.spill, stop: make(chan struct{})}
	p.note("started, process " + strconv.Itoa(cmd.Process.Pid))
	go p.read(opts.longest)
	go p.drain(ours[2])
	go p.reap(ours[2])
	return p, nil
}

var errStopped = errors.New("stopped")

// read hands over lines, one at a time: what nobody asked for waits in the pipe.
func (p *process) read(longest int) {
	defer close(p.lines)
	err := jsonl.Read(context.Background(), &bounded{r: p.out, most: longest}, jsonl.Options{Max: longest}, func(l jsonl.Line) error {
		select {
		case p.lines <- line{bytes.Clone(l.Data), l.Fault}:
			return nil
		case <-p.stop:
			return errStopped
		}
	})
	p.broke = Died
	if errors.Is(err, errTooLong) {
		p.broke = TooLong
	}
}

var errTooLong = errors.New("a line is too long")

// bounded ends a reading at a line that is too long, without waiting for its end.
type bounded struct {
	r    io.Reader
	most int
	line int // bytes since the last line ended
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if i := bytes.LastIndexByte(p[:n], '\n'); i >= 0 {
		b.line = n - i - 1
	} else {
		b.line += n
	}
	if b.line > b.most+1 { // CR
		return 0, errTooLong
	}
	return n, err
}

// drain keeps what the program writes to stderr, until all that hold it are gone.
func (p *process) drain(stderr *os.File) {
	defer close(p.drained)
	defer stderr.Close()
	buf := make([]byte, 1<<15)
	for {
		n, err := stderr.Read(buf)
		p.stderr.write(buf[:n])
		if p.spilled.Add(int64(n)) > p.spill && !p.flooded.Swap(true) {
			p.kill()
		}
		if err != nil {
			p.stderr.end()
			return
		}
	}
}

// reap waits for the program's end, and ends what is left of its group.
func (p *process) reap(stderr *os.File) {
	if !awaitEnd(p.cmd.Process.Pid) {
		_ = p.cmd.Wait()
	}
	p.mu.Lock()
	// It has ended and was not waited for, where the system can do so: its id is still
	// its own.
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	_ = p.cmd.Wait() // how it ended is in ProcessState
	p.gone = true
	p.mu.Unlock()
	// Who has left the group may hold stderr open for good.
	_ = stderr.SetReadDeadline(time.Now().Add(time.Second))
	<-p.drained
	p.note("ended: " + p.cmd.ProcessState.String())
	close(p.reaped)
}

// kill ends the program and its group. It may be called at any time, and again.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.gone {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	}
	if !p.ended {
		p.ended = true
		close(p.stop)
		_ = p.in.Close()
		_ = p.out.Close()
	}
}

// dismiss lets the program end by itself: its stdin ends.
func (p *process) dismiss() { _ = p.in.Close() }

// wait waits until the program has ended and nothing of it is left here.
func (p *process) wait() {
	<-p.reaped
	p.kill() // closes what is open
}

// ready says whether an idle process may be given an attempt: it lives, and has said
// nothing that nobody asked for.
func (p *process) ready() bool {
	select {
	case <-p.lines: // closed, or a line
		return false
	case <-p.stop:
		return false
	default:
		return true
	}
}

// begin counts what it writes to stderr anew.
func (p *process) begin() { p.spilled.Store(0) }

// note writes a line of ours into the log.
func (p *process) note(text string) { p.log.line(strconv.Itoa(p.number) + "- " + text) }

// greet is the first exchange.
func (p *process) greet(ctx context.Context, limit time.Duration, version string) error {
	text, err := p.ask(ctx, limit, helloMessage{typeHello, Protocol, version})
	if err == nil {
		err = readReady(text)
	}
	return err
}

// errSilent is the cause of a context whose answer did not come.
var errSilent = errors.New("no answer")

// ask sends messages and gives the next line. A process that gives none is killed. Its
// error is a *Fault or ctx's cause.
func (p *process) ask(ctx context.Context, limit time.Duration, messages ...any) ([]byte, error) {
	bounded, cancel := context.WithTimeoutCause(ctx, limit, errSilent)
	defer cancel()
	text, err := encode(messages...)
	if err != nil {
		return nil, err
	}
	// Where it does not listen, what it says tells more than that.
	_ = p.send(bounded, text)
	select {
	case l, ok := <-p.lines:
		switch {
		case !ok:
			return nil, p.lost(bounded)
		case l.fault == jsonl.TooLong:
			return nil, &Fault{Class: TooLong}
		case l.fault == jsonl.InvalidUTF8:
			return nil, &Fault{Class: NotUTF8}
		}
		return l.text, nil
	case <-bounded.Done():
		return nil, p.lost(bounded)
	}
}

// send sends lines. When ctx ends first, the process is killed: it has part of one.
func (p *process) send(ctx context.Context, text []byte) error {
	stop := context.AfterFunc(ctx, p.kill)
	_, err := p.in.Write(text)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	return err
}

// lost kills a process that gives no answer, and says why it does not.
func (p *process) lost(ctx context.Context) error {
	p.kill()
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errSilent):
		return &Fault{Class: Silent}
	case cause != nil:
		return cause
	}
	<-p.reaped
	switch {
	case p.flooded.Load():
		return &Fault{Class: Flood}
	case p.broke == TooLong:
		return &Fault{Class: TooLong}
	}
	return &Fault{Died, p.cmd.ProcessState.String()}
}
