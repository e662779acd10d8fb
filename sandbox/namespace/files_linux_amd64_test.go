package namespace

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/sandboxtest"
)

// TestHostFiles: a cell gets files one by one and nothing of the folders that they lie
// in. A private file is shown under another owner, without a copy, where the file
// system can do so, and copied where not.
func TestHostFiles(t *testing.T) {
	box := newBox(t, Options{Cells: 1})
	dir := t.TempDir()
	var files []sandbox.File
	for _, f := range []struct {
		name string
		mode os.FileMode
	}{{"open", 0o644}, {"private", 0o600}, {"fixed", 0o400}, {"program", 0o755}} {
		host := filepath.Join(dir, f.name)
		if err := os.WriteFile(host, []byte("#!/bin/sh\necho "+f.name), f.mode); err != nil {
			t.Fatal(err)
		}
		files = append(files, sandbox.File{Path: "/data/" + f.name, HostPath: host})
	}
	s := sandboxtest.Session(t, box, sandbox.Spec{Files: files})
	r := sandboxtest.Execute(t, s, sandbox.Command{Code: `
import os, stat
answer = []
for name in sorted(os.listdir('/data')):
    path = '/data/' + name
    said = open(path).read().split()[-1]
    for harm in (lambda: open(path, 'r+'), lambda: os.chmod(path, 0o777), lambda: os.remove(path), lambda: os.execv(path, [path]),
                 lambda: os.setxattr(path, 'user.a', b'b'), lambda: os.utime(path)):
        try:
            harm()
            said += ' harmed'
        except OSError:
            pass
    answer.append(said)`})
	if string(r.Answer) != `["fixed", "open", "private", "program"]` {
		t.Errorf("%s %s", r.Answer, r.Stderr)
	}
	copied := box.files.copies.Used()
	t.Logf("private files were copied: %v", copied)
	var on unix.Statfs_t
	if err := unix.Statfs(dir, &on); err != nil {
		t.Fatal(err)
	}
	if copied && (on.Type == unix.EXT4_SUPER_MAGIC || os.Getuid() != 0) {
		t.Error("a private file was copied where that is not needed")
	}
}
