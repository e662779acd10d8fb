package pipeline

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/klauspost/compress/zstd"
	_ "modernc.org/sqlite" // the driver named sqlite
)

// journalDB is journal.db: finished units of work of unfinished stages.
//
// WAL with synchronous=NORMAL survives a killed process without loss: what a
// transaction wrote is in the kernel's hands. Only a loss of power can take the
// last transactions, never the consistency.
type journalDB struct {
	sql *sql.DB
	enc *zstd.Encoder
	dec *zstd.Decoder
}

func openJournal(ctx context.Context, path string) (*journalDB, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=busy_timeout(10000)")
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS unit (
		stage TEXT NOT NULL, key TEXT NOT NULL, payload BLOB NOT NULL, PRIMARY KEY (stage, key)) WITHOUT ROWID`); err != nil {
		db.Close()
		return nil, BadInput{File: path, What: "the journal cannot be used: " + err.Error(), Do: "check the disk, or start in a new folder with --dir"}
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	return &journalDB{sql: db, enc: enc, dec: dec}, nil
}

func (d *journalDB) Close() error {
	d.dec.Close()
	return d.sql.Close()
}

// Journal keeps the finished units of one stage. One Put is one transaction.
type Journal struct {
	db    *journalDB
	stage string
}

// Put records a unit; a key that is there already is an error.
func (j *Journal) Put(ctx context.Context, key string, payload []byte) error {
	_, err := j.db.sql.ExecContext(ctx, `INSERT INTO unit (stage, key, payload) VALUES (?, ?, ?)`,
		j.stage, key, j.db.enc.EncodeAll(payload, nil))
	if err != nil {
		return fmt.Errorf("journal %s: %w", key, err)
	}
	return nil
}

// Keys lists the recorded keys.
func (j *Journal) Keys(ctx context.Context) (map[string]bool, error) {
	rows, err := j.db.sql.QueryContext(ctx, `SELECT key FROM unit WHERE stage = ?`, j.stage)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	defer rows.Close()
	keys := map[string]bool{}
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			return nil, fmt.Errorf("journal: %w", err)
		}
		keys[key] = true
	}
	return keys, rows.Err()
}

// Each yields every unit in key order. It holds the journal's only connection:
// yield must not use the journal.
func (j *Journal) Each(ctx context.Context, yield func(key string, payload []byte) error) error {
	rows, err := j.db.sql.QueryContext(ctx, `SELECT key, payload FROM unit WHERE stage = ? ORDER BY key`, j.stage)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var key string
		var packed sql.RawBytes
		if err := rows.Scan(&key, &packed); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		payload, err := j.db.dec.DecodeAll(packed, nil)
		if err != nil {
			return fmt.Errorf("journal %s: %w", key, err)
		}
		if err := yield(key, payload); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (j *Journal) count(ctx context.Context) (n int, err error) {
	err = j.db.sql.QueryRowContext(ctx, `SELECT count(*) FROM unit WHERE stage = ?`, j.stage).Scan(&n)
	return n, err
}

func (j *Journal) clear(ctx context.Context) error {
	// The stage is done: a cancelled context must not leave its units behind.
	_, err := j.db.sql.ExecContext(context.WithoutCancel(ctx), `DELETE FROM unit WHERE stage = ?`, j.stage)
	return err
}
