package pipeline

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Journal keeps finished units of work of one stage. A Put is there as a whole or not
// at all; those that come while a transaction is committed share the next one. Its
// methods are safe for concurrent use.
type Journal struct {
	store *store
	stage string
}

// ErrRecorded says that a key is in the journal already.
var ErrRecorded = errors.New("already in the journal")

var errJournalFull = errors.New("no space left for the journal")

// Put records a unit, and returns once it is on the disk; a key that is there already
// is ErrRecorded. A unit that is finished is recorded even when ctx has been
// cancelled meanwhile: that is what a drain is for.
func (j *Journal) Put(ctx context.Context, key string, payload []byte) error {
	p := &put{stage: j.stage, key: key, packed: j.store.enc.EncodeAll(payload, nil), wake: make(chan bool, 1)}
	j.store.queue.commit(p, func(batch []*put) { j.store.commit(context.WithoutCancel(ctx), batch) })
	var fault *sqlite.Error
	if errors.As(p.err, &fault) && fault.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE {
		return fmt.Errorf("stage %s, unit %s: %w", j.stage, key, ErrRecorded)
	}
	return j.store.wrap(p.err)
}

// Keys lists the recorded keys.
func (j *Journal) Keys(ctx context.Context) (map[string]bool, error) {
	rows, err := j.store.db.QueryContext(ctx, `SELECT key FROM units WHERE stage = ?`, j.stage)
	if err != nil {
		return nil, j.store.wrap(err)
	}
	defer rows.Close()
	keys := map[string]bool{}
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			return nil, j.store.wrap(err)
		}
		keys[key] = true
	}
	return keys, j.store.wrap(rows.Err())
}

// Each yields every unit in key order. The payload is yield's to keep. Units that
// are put meanwhile may or may not be seen.
func (j *Journal) Each(ctx context.Context, yield func(key string, payload []byte) error) error {
	return j.Range(ctx, "", yield)
}

// Range is Each for the keys that begin with prefix.
func (j *Journal) Range(ctx context.Context, prefix string, yield func(key string, payload []byte) error) error {
	// One query a unit: yield may use the journal, and the one connection is free.
	const query = `SELECT key, payload FROM units WHERE stage = ? AND key %s ? ORDER BY key LIMIT 1`
	for last, first := prefix, true; ; first = false {
		after := ">"
		if first {
			after = ">="
		}
		var packed []byte
		err := j.store.db.QueryRowContext(ctx, fmt.Sprintf(query, after), j.stage, last).Scan(&last, &packed)
		if errors.Is(err, sql.ErrNoRows) || err == nil && !strings.HasPrefix(last, prefix) {
			return nil
		}
		if err != nil {
			return j.store.wrap(err)
		}
		payload, err := j.store.dec.DecodeAll(packed, nil)
		if err != nil {
			return BadInput(j.store.path, 0, fmt.Sprintf("is damaged, unit %s of stage %s cannot be read", last, j.stage), journalDo)
		}
		if err := yield(last, payload); err != nil {
			return err
		}
	}
}

const journalDo = "restore it from a copy, or move it away: what it holds is then done again"

// store is journal.db.
type store struct {
	path string
	db   *sql.DB
	enc  *zstd.Encoder
	dec  *zstd.Decoder

	queue queue
}

// openStore opens or creates the journal.
//
// A transaction is in the write-ahead log when its commit returns, and the page
// cache keeps the log when the process is killed: for kill -9 synchronous=NORMAL
// would do. FULL adds one fsync of the log to every transaction, so that a node that
// loses power loses no finished attempt either; an attempt costs seconds and
// perhaps money, the fsync a millisecond or two.
//
// The run folder is locked, so the one connection keeps SQLite's own lock for
// good (locking_mode EXCLUSIVE): the log then needs no shared memory, which
// network file systems lack.
func openStore(ctx context.Context, path string) (*store, error) {
	// Payloads may come from credentialed sources; SQLite gives its log the same mode.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	name := url.URL{Scheme: "file", Path: path, RawQuery: url.Values{"_pragma": {
		"locking_mode(EXCLUSIVE)", "journal_mode(WAL)", "synchronous(FULL)",
	}}.Encode()}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	db.SetMaxOpenConns(1)
	s := &store{path: path, db: db}
	_, err = db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS units (
		stage   TEXT NOT NULL,
		key     TEXT NOT NULL,
		payload BLOB NOT NULL,
		UNIQUE (stage, key))`)
	if err == nil {
		s.enc, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
	}
	if err == nil {
		s.dec, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	}
	if err != nil {
		return nil, errors.Join(s.wrap(err), s.Close())
	}
	return s, nil
}

func (s *store) Close() error {
	if s.enc != nil {
		_ = s.enc.Close() // it holds nothing: units are encoded whole
	}
	if s.dec != nil {
		s.dec.Close()
	}
	return s.db.Close()
}

// wrap adds the path and tells a full disk and a damaged file from other errors.
func (s *store) wrap(err error) error {
	var fault *sqlite.Error
	if errors.As(err, &fault) {
		switch fault.Code() & 0xff {
		case sqlite3.SQLITE_FULL:
			return fmt.Errorf("%w (%s)", errJournalFull, s.path)
		case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
			return BadInput(s.path, 0, "is damaged", journalDo)
		}
	}
	if err != nil {
		return fmt.Errorf("journal %s: %w", s.path, err)
	}
	return nil
}

// commit inserts a batch of units and leaves each one's error with it. Where the
// transaction as a whole fails, each is tried alone: an error then reaches those that
// it concerns.
func (s *store) commit(ctx context.Context, batch []*put) {
	err := s.insert(ctx, batch)
	if err == nil {
		return
	}
	if len(batch) == 1 {
		batch[0].err = err
		return
	}
	for _, p := range batch {
		p.err = nil
		s.commit(ctx, []*put{p})
	}
}

// insert is one transaction. A key that is there already fails by itself; any other
// error undoes all.
func (s *store) insert(ctx context.Context, batch []*put) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing, once it is committed
	insert, err := tx.PrepareContext(ctx, `INSERT INTO units (stage, key, payload) VALUES (?, ?, ?)`)
	if err != nil {
		return err
	}
	defer func() { _ = insert.Close() }() // an error would have shown in what it did
	for _, p := range batch {
		_, err := insert.ExecContext(ctx, p.stage, p.key, p.packed)
		var fault *sqlite.Error
		if errors.As(err, &fault) && fault.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE {
			p.err = err
			continue
		}
		if err != nil {
			return err
		}
	}
	return tx.Commit()
}

// count is the number of units of a stage.
func (s *store) count(ctx context.Context, stage string) (int64, error) {
	var n int64
	err := s.db.QueryRowContext(ctx, `SELECT count(*) FROM units WHERE stage = ?`, stage).Scan(&n)
	return n, s.wrap(err)
}

// clear removes the units of a stage, and their bytes from the disk.
func (s *store) clear(ctx context.Context, stage string) error {
	n, err := s.count(ctx, stage)
	if err != nil || n == 0 {
		return err
	}
	if _, err := s.db.ExecContext(ctx, `DELETE FROM units WHERE stage = ?`, stage); err != nil {
		return s.wrap(err)
	}
	if _, err := s.db.ExecContext(ctx, `VACUUM`); err != nil {
		return s.wrap(err)
	}
	_, err = s.db.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`)
	return s.wrap(err)
}

// put is a unit that waits to be inserted.
type put struct {
	stage, key string
	packed     []byte
	err        error
	wake       chan bool // true: commit what waits; false: it is done
}

// queue gathers puts that come while others are committed. Whoever comes to an idle
// queue commits; when that is done the first of those who wait does, so that nobody
// works for the others for long.
type queue struct {
	mu      sync.Mutex
	waiting []*put
	busy    bool
}

// most bounds the bytes of a transaction; one unit is always taken.
const most = 32 << 20

// commit returns when p has been committed, by this caller or by another.
func (q *queue) commit(p *put, commit func([]*put)) {
	q.mu.Lock()
	q.waiting = append(q.waiting, p)
	leads := !q.busy
	q.busy = true
	q.mu.Unlock()
	if !leads && !<-p.wake {
		return
	}
	// p is the first that waits.
	batch := q.take()
	commit(batch)
	q.mu.Lock()
	if q.busy = len(q.waiting) > 0; q.busy {
		q.waiting[0].wake <- true
	}
	q.mu.Unlock()
	for _, other := range batch[1:] {
		other.wake <- false
	}
}

func (q *queue) take() []*put {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, bytes := 0, 0
	for _, p := range q.waiting {
		if bytes += len(p.packed); n > 0 && bytes > most {
			break
		}
		n++
	}
	batch := q.waiting[:n:n]
	q.waiting = append([]*put(nil), q.waiting[n:]...)
	return batch
}
