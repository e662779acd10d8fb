package governance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/medgym-data/medgym-data/pipeline"
)

// AccessFile is the access log of a run folder: JSON Lines, only ever appended to.
// It names no row and belongs to no stage's output, and so to no digest.
const AccessFile = "access.log"

// Access is one entry: that a process was about to read rows that are not open.
type Access struct {
	At      time.Time `json:"at"`
	User    string    `json:"user"`
	UID     int       `json:"uid"`
	Host    string    `json:"host"`
	PID     int       `json:"pid"`
	Program string    `json:"program"`
	Command string    `json:"command"`
	Stage   string    `json:"stage"`
	Sources []Read    `json:"sources"`
	// Endpoint is the model endpoint that rows are sent to, and its class; empty
	// where they are sent to none.
	Endpoint      string `json:"endpoint,omitempty"`
	EndpointClass string `json:"endpoint_class,omitempty"`
	// Attestation is the file that an attested endpoint rests on, with who verified
	// what it says, and when; for a program, what the user has stated about it.
	Attestation string `json:"attestation,omitempty"`
}

// Read is a source of an entry.
type Read struct {
	Source    string `json:"source"`
	Tier      string `json:"access_tier"`
	Agreement string `json:"agreement"`
	Record    string `json:"record"`
}

// Append adds an entry in one write, and forces it to the disk. Those that append at
// once take turns. A process that is killed in its write, or a full disk, spoils at
// most the line that was being written: the next one begins anew.
func Append(path string, entry Access) error {
	line, err := json.Marshal(entry)
	if err != nil {
		return fmt.Errorf("access log: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("access log: %w", err)
	}
	line = append(line, '\n')
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX) // until it is closed
	if err == nil {
		if torn(f) {
			line = append([]byte{'\n'}, line...)
		}
		_, err = f.Write(line)
	}
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return fmt.Errorf("access log %s: %w", path, err)
	}
	return nil
}

// torn says whether the log does not end with a whole line.
func torn(f *os.File) bool {
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil || end == 0 {
		return false
	}
	last := make([]byte, 1)
	_, err = f.ReadAt(last, end-1)
	return err == nil && last[0] != '\n'
}

// Log says what to note of each stage that reads rows.
type Log struct {
	Program string // version
	Command string // rollout
	// Ingest is the stage that notes the records in use in its summary, under Key, as
	// a list of InUse. It brings its own as pipeline.Stage.Reads.
	Ingest, Key string
	// Endpoints that rows are sent to: each has an entry of its own.
	Endpoints []Endpoint
	Now       func() time.Time // nil: time.Now
}

// Reading is a pipeline.Options.Reading: it notes the sources of a stage that are
// not open before their rows are read, and refuses where a record has expired.
func (l Log) Reading(_ context.Context, run *pipeline.Run, st pipeline.Stage) error {
	used, ok := st.Reads.([]InUse)
	if !ok {
		if _, err := run.Summary(l.Ingest, l.Key, &used); err != nil {
			return err
		}
	}
	if len(st.Sources) > 0 {
		used = slices.DeleteFunc(slices.Clone(used), func(u InUse) bool { return !slices.Contains(st.Sources, u.Source) })
	}
	if len(used) == 0 {
		return nil
	}
	now := time.Now
	if l.Now != nil {
		now = l.Now
	}
	entry := Access{At: now().UTC().Truncate(time.Millisecond), User: userName(), UID: os.Getuid(), Host: hostName(), PID: os.Getpid(),
		Program: l.Program, Command: l.Command, Stage: st.Name}
	for _, u := range used {
		if err := u.Current(now()); err != nil {
			return err
		}
		entry.Sources = append(entry.Sources, Read{u.Source, u.Tier, u.Agreement, u.Record})
	}
	if !st.Sends || len(l.Endpoints) == 0 {
		return Append(run.Path(AccessFile), entry)
	}
	for _, e := range l.Endpoints {
		entry.Endpoint, entry.EndpointClass, entry.Attestation = e.Name(), string(e.Class), ""
		if a := e.Attestation; a != nil {
			entry.Attestation = fmt.Sprintf("%s, verified by %s on %s", a.File, a.VerifiedBy, a.Date)
		}
		if e.Program != "" && e.Class == Local {
			entry.Attestation = "stated with --exec-local: the program sends rows to no third party"
		}
		if err := Append(run.Path(AccessFile), entry); err != nil {
			return err
		}
	}
	return nil
}

// userName is who runs the program, as the system knows it.
func userName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return strconv.Itoa(os.Getuid())
}

func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}
