// Package scripts holds what a person or CI runs by hand. Its test holds the house
// to its plan, docs/architecture.md: which folder may import which, who alone knows
// a library, what lies at the top.
package scripts

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/medgym-data/medgym-data/"

// source is a parsed Go file.
type source struct {
	name    string // relative to the module
	dir     string
	test    bool
	file    *ast.File
	imports []string
}

// load parses every Go file of the module.
func load(t *testing.T) []source {
	t.Helper()
	var out []source
	files := token.NewFileSet()
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if base := entry.Name(); name != "." && (strings.HasPrefix(base, ".") || base == "testdata" || base == "bin") {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		parsed, err := parser.ParseFile(files, filepath.Join("..", name), nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		src := source{name: name, dir: path.Dir(name), test: strings.HasSuffix(name, "_test.go"), file: parsed}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			src.imports = append(src.imports, imported)
		}
		out = append(out, src)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 50 {
		t.Fatalf("only %d Go files found", len(out))
	}
	return out
}

// below says whether a folder is one of the roots or below one.
func below(dir string, roots ...string) bool {
	return slices.ContainsFunc(roots, func(root string) bool { return dir == root || strings.HasPrefix(dir, root+"/") })
}

// mayImport is the import rule: cmd → stages → {pipeline, datasets, sandbox,
// schemas}, and datasets → schemas. Stages share what lies in stages/internal and
// do not know each other.
func mayImport(from, to string) bool {
	top, _, _ := strings.Cut(from, "/")
	switch top {
	case "cmd":
		return !below(to, "cmd")
	case "stages":
		stage := strings.Join(strings.SplitN(from, "/", 3)[:2], "/")
		return below(to, stage, "stages/internal", "pipeline", "datasets", "sandbox", "schemas")
	case "datasets":
		return below(to, "datasets", "schemas")
	case "pipeline", "sandbox", "schemas":
		return below(to, top)
	case "scripts":
		return !below(to, "cmd")
	}
	return false
}

func TestMayImport(t *testing.T) {
	for _, tt := range []struct {
		from, to string
		want     bool
	}{
		{"cmd/medgym-data", "stages/rollout", true},
		{"stages/rollout", "stages/internal/execute", true},
		{"stages/internal/execute", "stages/internal/judge", true},
		{"stages/rollout/deep", "stages/rollout", true},
		{"stages/rollout", "stages/grade", false},
		{"stages/internal/execute", "stages/rollout", false},
		{"stages/rollout", "cmd/medgym-data", false},
		{"pipeline", "stages/rollout", false},
		{"pipeline", "schemas", false},
		{"datasets/fhir", "schemas", true},
		{"datasets/fhir", "pipeline", false},
		{"sandbox/namespace", "sandbox/python", true},
		{"sandbox", "schemas", false},
		{"schemas/pq", "schemas", true},
		{"schemas", "datasets", false},
		{"schemasother", "schemas", false},
	} {
		if got := mayImport(tt.from, tt.to); got != tt.want {
			t.Errorf("%s imports %s: %v", tt.from, tt.to, got)
		}
	}
}

func TestImports(t *testing.T) {
	sources := load(t)
	adapters := adaptersOf(t, sources)
	for _, src := range sources {
		for _, imported := range src.imports {
			if to, ours := strings.CutPrefix(imported, module); ours {
				if !mayImport(src.dir, to) {
					t.Errorf("%s imports %s", src.name, to)
				}
				if slices.Contains(adapters, to) && to != src.dir && !src.test && !below(src.dir, "datasets/all") {
					t.Errorf("%s imports %s: only datasets/all names sources", src.name, to)
				}
				if (to == "datasets/datasettest" || to == "sandbox/sandboxtest") && !src.test {
					t.Errorf("%s imports %s outside a test", src.name, to)
				}
				continue
			}
			for _, rule := range libraries {
				if strings.HasPrefix(imported, rule.prefix) && !(src.test && rule.freeInTests) && !below(src.dir, rule.in...) {
					t.Errorf("%s imports %s, which only these may: %v", src.name, imported, rule.in)
				}
			}
		}
	}
}

// adaptersOf lists the folders of sources: what datasets/all spells out.
func adaptersOf(t *testing.T, sources []source) []string {
	t.Helper()
	var out []string
	for _, src := range sources {
		if src.dir != "datasets/all" || src.test {
			continue
		}
		for _, imported := range src.imports {
			if to, ours := strings.CutPrefix(imported, module); ours && to != "datasets" {
				out = append(out, to)
			}
		}
	}
	if len(out) == 0 {
		t.Fatal("datasets/all imports no source")
	}
	return out
}

// library is one that few places may know.
type library struct {
	prefix      string
	in          []string // folders; none: nobody
	freeInTests bool
}

var libraries = []library{
	{prefix: "github.com/urfave/cli", in: []string{"cmd"}},
	{prefix: "github.com/schollz/progressbar", in: []string{"cmd"}},
	{prefix: "github.com/docker/", in: []string{"sandbox/docker"}},
	{prefix: "github.com/moby/", in: []string{"sandbox/docker"}},
	{prefix: "github.com/parquet-go/parquet-go", in: []string{"schemas/pq"}, freeInTests: true},
	// With V2 pages and lists it writes files that other readers refuse.
	{prefix: "github.com/apache/arrow/go/v17/parquet", freeInTests: true},
	{prefix: "C"},
}

// TestReadersOfLines: pipeline/jsonl is the only reader of JSON Lines. What would
// be a second one is recognized by bufio's Scanner, whose lines end at 64 KB.
func TestReadersOfLines(t *testing.T) {
	for _, src := range load(t) {
		if src.test {
			continue
		}
		ast.Inspect(src.file, func(n ast.Node) bool {
			call, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := call.X.(*ast.Ident)
			if ok && pkg.Name == "bufio" && (call.Sel.Name == "NewScanner" || call.Sel.Name == "ScanLines") {
				t.Errorf("%s uses bufio.%s: read JSON Lines with pipeline/jsonl", src.name, call.Sel.Name)
			}
			return true
		})
	}
}

// TestNoInit: nothing registers itself and nothing runs before main.
func TestNoInit(t *testing.T) {
	for _, src := range load(t) {
		for _, decl := range src.file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s has an init function", src.name)
			}
		}
	}
}

// TestTopLevel: what lies at the top is what the plan lists, and what git ignores.
func TestTopLevel(t *testing.T) {
	plan := []string{"cmd", "pipeline", "stages", "sandbox", "schemas", "datasets", "scripts", "docs", ".ci",
		"go.mod", "go.sum", "Makefile", "README.md", "LICENSE", ".gitignore", ".git"}
	ignored, err := os.ReadFile("../.gitignore")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !slices.Contains(plan, entry.Name()) && !ignores(string(ignored), entry.Name()) {
			t.Errorf("%s lies at the top level, which the plan does not list", entry.Name())
		}
	}
	for _, name := range plan[:len(plan)-2] {
		if _, err := os.Stat(filepath.Join("..", name)); err != nil {
			t.Errorf("the top level lacks %s", name)
		}
	}
}

func ignores(patterns, name string) bool {
	for line := range strings.Lines(patterns) {
		pattern := strings.Trim(strings.TrimSpace(line), "/")
		if ok, err := path.Match(pattern, name); err == nil && ok && pattern != "" {
			return true
		}
	}
	return false
}
