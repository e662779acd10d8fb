package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSchemaPage(t *testing.T) {
	page, err := schemaPage("../../schemas")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"| `task_id` | string | &lt;source>/&lt;split>/&lt;hash of the raw row> |",
		"| `answer_lower` | double |  |",
		"| `steps` | list of struct Step |  |",
		"| `created_at` | timestamp(us, UTC) |  |",
		"| `messages` | MSG |  |",
		"| the columns of Prefix | | |",
		"## SandboxRef",
	} {
		if !strings.Contains(string(page), line+"\n") {
			t.Errorf("no line %q", line)
		}
	}
	committed, err := os.ReadFile("../../docs/schemas.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(committed) != string(page) {
		t.Error("docs/schemas.md is not what the schemas say: run make generate")
	}
}

func TestSchemaPageFaults(t *testing.T) {
	for name, src := range map[string]string{
		"a table is absent": "package schemas\n",
		"a column untagged": "package schemas\ntype Task struct { A string }\n",
		"not Go":            "package\n",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "a.go"), []byte(src), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := schemaPage(dir); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
