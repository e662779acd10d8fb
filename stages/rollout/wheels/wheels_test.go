package wheels_test

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/pipeline/governance"
	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/python"
	"github.com/medgym-data/medgym-data/stages/internal/execute"
	"github.com/medgym-data/medgym-data/stages/internal/runtest"
	"github.com/medgym-data/medgym-data/stages/rollout/wheels"
)

func TestMain(m *testing.M) { runtest.Main(m) }

// wheel writes a package of one module, and gives the file's name.
func wheel(t *testing.T, dir, name, version string, needs ...string) string {
	t.Helper()
	file := fmt.Sprintf("%s-%s-py3-none-any.whl", name, version)
	f, err := os.Create(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	metadata := fmt.Sprintf("Metadata-Version: 2.1\nName: %s\nVersion: %s\n", name, version)
	for _, need := range needs {
		metadata += "Requires-Dist: " + need + "\n"
	}
	info := fmt.Sprintf("%s-%s.dist-info/", name, version)
	z := zip.NewWriter(f)
	for _, part := range [][2]string{
		{name + ".py", "version = '" + version + "'\n"},
		{info + "METADATA", metadata},
		{info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
		{info + "RECORD", name + ".py,,\n" + info + "METADATA,,\n" + info + "WHEEL,,\n" + info + "RECORD,,\n"},
	} {
		w, err := z.Create(part[0])
		if err == nil {
			_, err = io.WriteString(w, part[1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return file
}

func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	wheel(t, dir, "greeting", "1.0", "pandas", "Other_Part")
	wheel(t, dir, "greeting", "2.0", "pandas", "Other_Part")
	wheel(t, dir, "other_part", "0.1")
	wheel(t, dir, "numpy", "2.9.9")
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("no wheel"), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// index serves a folder as an index does, and keeps what it was asked.
func index(t *testing.T, dir string) (*httptest.Server, *[]string) {
	t.Helper()
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.String()+" "+r.Header.Get("X-Text"))
		switch {
		case r.URL.Path == "/simple/greeting/":
			_, _ = io.WriteString(w, `<html><a class="x" href="../../store/greeting-1.0-py3-none-any.whl#sha256=`+strings.Repeat("0", 64)+`">x</a>
				<A HREF='/store/greeting-2.0-py3-none-any.whl' data-requires-python="&gt;=3.8">y</A> <a href="/store/greeting-3.0-py3-none-any.whl" data-yanked="">z</a>
				<a href="/store/greeting-1.0.tar.gz">s</a> <a href="/store/secret-1.0-py3-none-any.whl">t</a> <a href="ftp://x/greeting-4.0-py3-none-any.whl">u</a>
				<a href="http://8.8.8.8/greeting-5.0-py3-none-any.whl">v</a> <a href="/away/greeting-6.0-py3-none-any.whl">w</a></html>`)
		case strings.HasPrefix(r.URL.Path, "/away/"):
			http.Redirect(w, r, "http://8.8.8.8/", http.StatusFound)
		case strings.HasPrefix(r.URL.Path, "/store/"):
			http.ServeFile(w, r, filepath.Join(dir, strings.TrimPrefix(r.URL.Path, "/store/")))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server, &asked
}

func ask(t *testing.T, s *wheels.Source, method, target string) (int, string) {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, "http://127.0.0.1:8990"+target, nil)
	req.Header.Set("X-Text", "a row")
	res := httptest.NewRecorder()
	s.ServeHTTP(res, req)
	return res.Code, res.Body.String()
}

func local(t *testing.T, server *httptest.Server) governance.Endpoint {
	t.Helper()
	endpoint, err := governance.Classify(t.Context(), server.URL+"/simple", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return endpoint
}

var href = regexp.MustCompile(`href="([^"#]*/([^"/#]*))`)

func TestFolder(t *testing.T) {
	s, err := wheels.Folder(folder(t), "numpy==1.26.4\n")
	if err != nil {
		t.Fatal(err)
	}
	if code, body := ask(t, s, "GET", "/constraints.txt"); code != 200 || body != "numpy==1.26.4\n" {
		t.Errorf("constraints: %d %s", code, body)
	}
	code, page := ask(t, s, "GET", "/simple/other-part/")
	found := href.FindAllStringSubmatch(page, -1)
	if code != 200 || len(found) != 1 || found[0][2] != "other_part-0.1-py3-none-any.whl" || !strings.Contains(page, "#sha256=") {
		t.Fatalf("%d\n%s", code, page)
	}
	if code, body := ask(t, s, "GET", found[0][1]); code != 200 || !strings.HasPrefix(body, "PK") {
		t.Errorf("%d, %d bytes", code, len(body))
	}
	for target, want := range map[string]int{
		"/simple/absent/": 404, "/simple/": 404, "/simple/../etc/": 404, "/simple/a%2fb/": 404, "/simple/Greeting/": 404, "/simple/" + strings.Repeat("x", 61) + "/": 404,
		"/files/0/other_part-0.1-py3-none-any.whl": 404, "/files/../../etc/passwd": 404, "/": 404, "/simple/greeting/?row=1": 400,
	} {
		if code, _ := ask(t, s, "GET", target); code != want {
			t.Errorf("%s: %d, want %d", target, code, want)
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "CONNECT"} {
		if code, _ := ask(t, s, method, "/simple/greeting/"); code != 405 {
			t.Errorf("%s: %d", method, code)
		}
	}
	if _, err := wheels.Folder(t.TempDir(), ""); err == nil {
		t.Error("an empty folder passes")
	}
	same, err := wheels.Folder(folder(t), "")
	if err != nil || !strings.HasPrefix(s.About(), "folder sha256:") {
		t.Errorf("%s, %v", s.About(), err)
	}
	if other := t.TempDir(); same != nil {
		wheel(t, other, "greeting", "1.0")
		if o, err := wheels.Folder(other, ""); err != nil || o.About() == s.About() {
			t.Errorf("other wheels, the same name: %v", err)
		}
	}
}

// TestIndex: what is asked of an index is a name or a file that its pages name, and
// nothing of the program's request besides.
func TestIndex(t *testing.T) {
	server, asked := index(t, folder(t))
	s := wheels.Index(local(t, server), "")
	_, page := ask(t, s, "GET", "/simple/greeting/")
	files := map[string]string{}
	for _, m := range href.FindAllStringSubmatch(page, -1) {
		files[m[2]] = m[1]
	}
	if len(files) != 4 || !strings.Contains(page, `data-requires-python="&gt;=3.8"`) || strings.Contains(page, server.URL) {
		t.Errorf("%d files\n%s", len(files), page)
	}
	for name, want := range map[string]int{"greeting-1.0": 200, "greeting-2.0": 200, "greeting-5.0": 502, "greeting-6.0": 502} {
		if code, _ := ask(t, s, "GET", files[name+"-py3-none-any.whl"]); code != want {
			t.Errorf("%s: %d, want %d", name, code, want)
		}
	}
	if code, _ := ask(t, s, "GET", "/simple/absent/"); code != 404 {
		t.Errorf("absent: %d", code)
	}
	want := "GET /simple/greeting/ |"
	if got := strings.Join(*asked, "|"); !strings.HasPrefix(got, want) || strings.Contains(got, "a row") || len(*asked) != 5 {
		t.Errorf("asked %s", got)
	}
}

// TestPermit: an index outside is for open rows alone.
func TestPermit(t *testing.T) {
	server, _ := index(t, t.TempDir())
	address, err := url.Parse("https://index.example/simple")
	if err != nil {
		t.Fatal(err)
	}
	public := wheels.Index(governance.Endpoint{URL: address, Class: governance.Open}, "")
	var refused *pipeline.PolicyError
	if err := public.Permit([]string{"mimic_iii"}); !errors.As(err, &refused) || !strings.Contains(err.Error(), "mimic_iii") {
		t.Errorf("%v", err)
	}
	given, err := wheels.Folder(folder(t), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{public.Permit(nil), wheels.Index(local(t, server), "").Permit([]string{"mimic_iii"}), given.Permit([]string{"mimic_iii"})} {
		if err != nil {
			t.Error(err)
		}
	}
}

// TestInstall installs in a real sandbox: what is there stays, what is new lasts for
// the session, and without a source nothing is to be had.
func TestInstall(t *testing.T) {
	box := runtest.Python(t)
	dir := folder(t)
	server, _ := index(t, dir)
	given, err := wheels.Folder(dir, python.Pins())
	if err != nil {
		t.Fatal(err)
	}
	type step struct {
		language sandbox.Language
		code     string
		status   sandbox.Status
		want     string
	}
	play := func(name string, source *wheels.Source, steps ...step) {
		t.Run(name, func(t *testing.T) {
			var furnished datasets.Session
			if source != nil {
				furnished.Services = []datasets.Service{source.Service()}
			}
			session, err := execute.Open(t.Context(), box, name, furnished, sandbox.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			defer session.Close()
			for _, step := range steps {
				ex, err := session.Run(t.Context(), step.language, step.code, 1)
				if err != nil {
					t.Fatal(err)
				}
				said := string(ex.Result.Stdout) + string(ex.Result.Stderr)
				if ex.Result.Status != step.status || !strings.Contains(said, step.want) {
					t.Errorf("%s: %s\n%s", step.code, ex.Result.Status, said)
				}
			}
		})
	}
	const look = "import greeting, other_part, numpy\nprint(greeting.version, other_part.version, numpy.__version__)\n"
	play("folder", given,
		step{sandbox.Python, look, sandbox.StatusError, "No module named 'greeting'"},
		step{sandbox.Shell, "pip install greeting && python -c 'import greeting; print(greeting.version)'", sandbox.StatusOK, "\n2.0\n"},
		step{sandbox.Python, look, sandbox.StatusOK, "2.0 0.1 1.26.4"},
		step{sandbox.Python, "import subprocess, sys\nsubprocess.run([sys.executable, '-m', 'pip', 'install', 'greeting==1.0'], check=True)\nimport greeting\nprint(greeting.version)\n", sandbox.StatusOK, "\n1.0\n"},
		step{sandbox.Shell, "pip install numpy==2.9.9", sandbox.StatusError, "constraint"},
		step{sandbox.Shell, "pip install absent", sandbox.StatusError, "No matching distribution"},
		step{sandbox.Shell, "pip list", sandbox.StatusOK, "greeting"},
	)
	play("index", wheels.Index(local(t, server), python.Pins()),
		step{sandbox.Shell, "pip install --user 'greeting==1.0'", sandbox.StatusError, "DO NOT MATCH"}, // the page's digest is another
		step{sandbox.Shell, "pip install --no-deps 'greeting==2.0'", sandbox.StatusOK, "Successfully installed greeting-2.0"},
	)
	play("off", nil, step{sandbox.Shell, "python -m pip install greeting", sandbox.StatusError, ""}, step{sandbox.Python, look, sandbox.StatusError, "No module named 'greeting'"})
}
