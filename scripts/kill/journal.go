package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver
)

// recorded are the keys of the attempts that the journal of a run folder holds. A copy
// is read: the journal stays as a killed process left it.
func recorded(ctx context.Context, dir string) (_ map[string]bool, err error) {
	work, err := os.MkdirTemp(filepath.Dir(dir), "journal-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	for _, name := range []string{"journal.db", walName} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(work, name), text, 0o600)
		}
		if err != nil {
			return nil, err
		}
	}
	db, err := sql.Open("sqlite", filepath.Join(work, "journal.db"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	units := map[string]bool{}
	var tables int
	if err := db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master WHERE name = 'units'`).Scan(&tables); err != nil || tables == 0 {
		return units, err // killed before it was made
	}
	rows, err := db.QueryContext(ctx, `SELECT key FROM units WHERE stage = ?`, stageName)
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			return nil, err
		}
		units[key] = true
	}
	return units, rows.Err()
}
