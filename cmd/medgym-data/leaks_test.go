package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unicode"

	_ "modernc.org/sqlite"

	"github.com/medgym-data/medgym-data/datasets/all"
	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/pipeline/governance"
	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/sandbox/fake"
	"github.com/medgym-data/medgym-data/sandbox/python"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/schemas/pq"
	"github.com/medgym-data/medgym-data/stages/rollout"
	"github.com/medgym-data/medgym-data/stages/rollout/chat"
)

// What models and programs say is row content too.
const (
	leakReply   = "the reply of this model is for the rows and nobody else"
	leakPrinted = "a program printed this line and only rows may hold it"
	leakRaised  = "the exception of a program quotes what it had read before"
	leakKey     = "sk-LeakTest-7Qm3xVtB9wKcR2pZ"
)

// hunt finds row content and the key in what is not for them, however they are
// spelled.
type hunt struct{ grams map[string]bool }

// gramWords in a row that stand in a row's text are no accident.
const gramWords = 5

func newHunt(texts ...string) hunt {
	h := hunt{map[string]bool{}}
	for _, text := range texts {
		for gram := range leakGrams(text) {
			h.grams[gram] = true
		}
	}
	return h
}

// leakGrams yields the runs of words of a text, in lower case and without what stands
// between them; not those of numbers alone.
func leakGrams(text string) iter.Seq[string] {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return func(yield func(string) bool) {
		for i := 0; i+gramWords <= len(words); i++ {
			gram := strings.Join(words[i:i+gramWords], " ")
			if len(gram) >= 16 && strings.ContainsFunc(gram, unicode.IsLetter) && !yield(gram) {
				return
			}
		}
	}
}

var (
	leakEscapes = regexp.MustCompile(`\\u[0-9a-fA-F]{4}|\\[nrtbf"\\/]`)
	leakPercent = regexp.MustCompile(`%[0-9a-fA-F]{2}`)
	leakPacked  = regexp.MustCompile(`[A-Za-z0-9+/_-]{24,}`)
)

// in lists what of rows, and whether the key or much of it, stands in data: as it is,
// escaped for JSON, Go or a URL, or in base64.
func (h hunt) in(where string, data []byte) []string {
	views := map[string]string{"": string(data)}
	views["escaped: "] = leakEscapes.ReplaceAllStringFunc(string(data), func(s string) string {
		if n, err := strconv.ParseUint(s[2:], 16, 16); err == nil && s[1] == 'u' {
			return string(rune(n))
		}
		return " "
	})
	views["in a URL: "] = leakPercent.ReplaceAllStringFunc(string(data), func(s string) string {
		n, _ := strconv.ParseUint(s[1:], 16, 8) // two digits
		return string([]byte{byte(n)})
	})
	var decoded strings.Builder
	for _, run := range leakPacked.FindAllString(string(data), -1) {
		run = strings.NewReplacer("-", "+", "_", "/").Replace(run)
		if text, err := base64.RawStdEncoding.DecodeString(run[:len(run)/4*4]); err == nil {
			decoded.Write(text)
			decoded.WriteByte('\n')
		}
	}
	views["in base64: "] = decoded.String()
	var found []string
	for how, text := range views {
		for _, part := range []string{leakKey[:16], leakKey[len(leakKey)-12:]} {
			if strings.Contains(text, part) {
				found = append(found, where+": "+how+"the key")
			}
		}
		for gram := range leakGrams(text) {
			if h.grams[gram] {
				found = append(found, where+": "+how+"row content: "+gram)
				break // one says enough
			}
		}
	}
	slices.Sort(found)
	return found
}

// inFolder lists what a run folder holds where it must not: in the names of files, in
// files that are not for rows, and around the payloads of the journal. Files that may
// hold rows hold no key, and are for their owner only.
func (h hunt) inFolder(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	walkFiles(t, dir, func(rel string, info fs.FileInfo) {
		path := filepath.Join(dir, filepath.FromSlash(rel))
		found = append(found, h.in("the name "+rel, []byte(rel))...)
		rows := strings.HasSuffix(rel, ".parquet") || strings.Contains(rel, "/built/") || strings.HasPrefix(rel, "journal.db") || rel == execLogFile
		if rows && info.Mode().Perm() != 0o600 {
			found = append(found, fmt.Sprintf("%s: has mode %v", rel, info.Mode().Perm()))
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case rel == "journal.db":
			found = append(found, h.inJournal(t, path)...)
		case strings.HasPrefix(rel, "journal.db"): // its log: seen through it
		case rows:
			found = append(found, hunt{}.in(rel, data)...)
		default:
			found = append(found, h.in(rel, data)...)
		}
		if strings.HasPrefix(rel, "trajectories/") {
			eachIn(t, path, func(row schemas.Trajectory) { // they are compressed
				text, err := json.Marshal(row)
				if err != nil {
					t.Error(err)
				}
				found = append(found, hunt{}.in(rel, text)...)
			})
		}
	})
	return found
}

// inJournal looks at a copy of a journal: at all that it holds but its payloads.
func (h hunt) inJournal(t *testing.T, path string) []string {
	t.Helper()
	dir := t.TempDir()
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(path + suffix)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "journal.db"+suffix), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	texts := func(query string) (out []string) {
		rows, err := db.Query(query)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var text string
			if err := rows.Scan(&text); err != nil {
				t.Fatal(err)
			}
			out = append(out, text)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return out
	}
	var found []string
	for _, table := range texts(`SELECT name FROM sqlite_master WHERE type = 'table'`) {
		for _, column := range texts(fmt.Sprintf(`SELECT name FROM pragma_table_info('%s')`, table)) {
			if table == "units" && column == "payload" {
				continue
			}
			for _, text := range texts(fmt.Sprintf(`SELECT coalesce(cast("%s" AS text), '') FROM "%s"`, column, table)) {
				found = append(found, h.in("journal.db, "+table+"."+column, []byte(text))...)
			}
		}
	}
	return found
}

// elsewhere is a server that nothing must be sent to. It notes every byte.
type elsewhere struct {
	listener net.Listener
	mu       sync.Mutex
	seen     bytes.Buffer
	met      int
}

func newElsewhere(t *testing.T) *elsewhere {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &elsewhere{listener: l}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			e.mu.Lock()
			e.met++
			e.mu.Unlock()
			go func() {
				defer conn.Close()
				buf := make([]byte, 1<<16)
				for {
					n, err := conn.Read(buf)
					e.mu.Lock()
					e.seen.Write(buf[:n])
					e.mu.Unlock()
					if err != nil {
						return
					}
					_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
				}
			}()
		}
	}()
	return e
}

func (e *elsewhere) url() string { return "http://" + e.listener.Addr().String() }

// found lists that somebody came, and what of rows was brought.
func (e *elsewhere) found(h hunt) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.met == 0 {
		return nil
	}
	return append(h.in("another server", e.seen.Bytes()), fmt.Sprintf("another server: %d connections", e.met))
}

// leakRun is a prepared run over a credentialed source, and what there is to find.
type leakRun struct {
	dir  string
	hunt hunt
	note string // of the source: a model cannot know it, but its programs do
}

// newLeakRun makes one out of a synthetic download.
func newLeakRun(t *testing.T) leakRun {
	t.Helper()
	dir := t.TempDir()
	raw, run := filepath.Join(dir, "raw"), filepath.Join(dir, "run")
	for _, args := range [][]string{{"synth", "--source", "ehrcon", "--rows", "2", "--out", raw}, {"prepare", "--raw", raw, "--dir", run, "--no-validate"}} {
		var out bytes.Buffer
		if err := newApp(&out, &out).RunContext(t.Context(), append([]string{"medgym-data", "--quiet"}, args...)); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out.String())
		}
	}
	notes, err := os.ReadFile(filepath.Join(raw, "ehrcon", "clinical_notes.csv"))
	if err != nil {
		t.Fatal(err)
	}
	_, notes, _ = bytes.Cut(notes, []byte("\n")) // the names of columns are no content
	texts := []string{string(notes), leakReply, leakPrinted, leakRaised}
	for task, err := range pq.ReadDir[schemas.Task](t.Context(), filepath.Join(run, "tasks")) {
		if err != nil {
			t.Fatal(err)
		}
		if task.AccessTier != schemas.TierCredentialed {
			t.Fatalf("task %s is %s", task.TaskID, task.AccessTier)
		}
		texts = append(texts, task.Question, task.Answer, task.Gold)
	}
	if len(texts) != 4+3*4 {
		t.Fatalf("%d texts", len(texts))
	}
	l := leakRun{dir: run, hunt: newHunt(texts...)}
	for line := range strings.Lines(string(notes)) {
		if strings.Contains(line, " BPM at ") {
			l.note = strings.TrimSpace(line)
		}
	}
	if len(l.hunt.in("", []byte(l.note))) == 0 || len(l.hunt.grams) < 100 {
		t.Fatalf("there is nothing to look for: %d, %q", len(l.hunt.grams), l.note)
	}
	return l
}

// TestLeaks runs rollouts over credentialed rows, with a key, against a model server
// and an agent program that put rows and key wherever they can, through a kill, an
// interruption and an end; then looks at all that was printed, left behind and sent
// for both.
func TestLeaks(t *testing.T) {
	if exec.Command("unshare", "-Ur", "true").Run() != nil {
		const line = "LEAKS ARE NOT TESTED: no sandbox on this machine"
		if os.Getenv("CI") != "" {
			t.Fatal(line)
		}
		t.Skip(line)
	}
	l := newLeakRun(t)
	away := newElsewhere(t)
	nothing := func(found []string) {
		t.Helper()
		for _, f := range found {
			t.Error(f)
		}
	}

	// Faults that end a run.
	for name, answer := range leakEndings {
		t.Run(name, func(t *testing.T) {
			said, asked := l.end(t, away, answer)
			if asked == 0 || !strings.Contains(said, "medgym-data: ") || !strings.Contains(said, `"exit_code":3`) {
				t.Errorf("after %d requests: %s", asked, said)
			}
			nothing(l.hunt.in("output", []byte(said)))
		})
	}

	// Faults that pass, in a run that is killed, interrupted, and ends.
	server := &leakServer{note: l.note, away: away.url()}
	endpoint := server.listen(t)
	args := []string{"--policy", "openai", "--model", "tiny", "--endpoint", endpoint, "-k", "4", "--turns", "2", "--request-retries", "0", "--patience", "1ms"}
	server.at.Store(14)
	server.signal = syscall.SIGKILL
	code, out := l.rollout(t, away, server, args...)
	if code != -1 {
		t.Fatalf("exit code %d after a kill:\n%s", code, out)
	}
	said := out
	found := l.hunt.inFolder(t, l.dir)
	server.at.Store(server.asked.Load() + 14)
	server.signal = os.Interrupt
	code, out = l.rollout(t, away, server, append(args, "--json")...)
	if code != exitInterrupted {
		t.Fatalf("exit code %d after an interruption:\n%s", code, out)
	}
	said += out
	found = append(found, l.hunt.inFolder(t, l.dir)...)
	server.at.Store(0)
	code, out = l.rollout(t, away, server, append(args, "--json")...)
	if code != exitDone {
		t.Fatalf("exit code %d:\n%s", code, out)
	}
	said += out
	for _, f := range leakFaults {
		if !server.served(f.name) {
			t.Errorf("the server never played %s", f.name)
		}
	}
	for _, want := range []string{"attempt begun anew", "attempt ends as infra_error", "interrupted", `"token_limit": 1`} {
		if !strings.Contains(said, want) {
			t.Errorf("nobody said %q:\n%s", want, said)
		}
	}

	// A program that plays, over the same tasks.
	script := filepath.Join(t.TempDir(), "agent.sh")
	if err := os.WriteFile(script, []byte(leakAgent), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out = l.rollout(t, away, nil, "--policy", "exec", "--exec", "sh "+script, "--exec-local", "-k", "2", "--turns", "2", "--force")
	if code != exitDone {
		t.Fatalf("exit code %d:\n%s", code, out)
	}
	said += out
	if !strings.Contains(out, "graded: 8 of 8 attempts") {
		t.Errorf("the program did not play:\n%s", out)
	}
	for _, class := range []string{"(died): exit status 3", "(died): signal: killed", "unknown_type", "not_json", "told", "unknown_key"} {
		if !strings.Contains(said, class) {
			t.Errorf("the program was not found to be at fault: %s", class)
		}
	}
	log, err := os.ReadFile(filepath.Join(l.dir, execLogFile))
	if err != nil || len(l.hunt.in("", log)) == 0 || !bytes.Contains(log, []byte("PATH=")) {
		t.Errorf("the program's stderr holds no rows, or no environment: the test proves nothing (%v)", err)
	}

	nothing(l.hunt.in("output", []byte(said)))
	nothing(found)
	nothing(l.hunt.inFolder(t, l.dir))
	nothing(away.found(l.hunt))
}

// rollout runs the command as its user does, with the key and proxies in its
// environment, and gives all that it prints. -1: it was killed.
func (l leakRun) rollout(t *testing.T, away *elsewhere, server *leakServer, args ...string) (int, string) {
	t.Helper()
	cache, err := python.Cache()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("medgym-data", append([]string{"rollout", "--dir", l.dir, "--log-level", "debug", "-j", "1"}, args...)...)
	cmd.Env = append(os.Environ(), python.FolderVariable+"="+cache, chat.KeyVariable+"="+leakKey, "NO_PROXY=", "no_proxy=")
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"} {
		cmd.Env = append(cmd.Env, name+"="+away.url(), strings.ToLower(name)+"="+away.url())
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if server != nil {
		server.pid.Store(int64(cmd.Process.Pid))
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

// end runs the stage against a server whose answer ends a run, in this process and
// without a sandbox: no reply comes. It gives all that would be printed.
func (l leakRun) end(t *testing.T, away *elsewhere, answer func(w http.ResponseWriter, echo, away string)) (said string, asked int64) {
	t.Helper()
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		answer(w, leakEcho(r, l.note), away.url())
	}))
	defer server.Close()
	endpoint, err := governance.Classify(t.Context(), server.URL+"/v1", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	client, err := chat.NewClient(chat.ClientOptions{Endpoints: []governance.Endpoint{endpoint}, Model: "tiny", Key: leakKey, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	policies, err := chat.New(chat.Options{Client: client})
	if err != nil {
		t.Fatal(err)
	}
	stage, err := rollout.Stage(rollout.Options{Registry: all.Registry(), Policies: policies, K: 1, Concurrency: 1,
		Sandbox: func(context.Context) (sandbox.Sandbox, error) { return fake.New(nil), nil }})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "run")
	if err := os.CopyFS(dir, os.DirFS(l.dir)); err != nil {
		t.Fatal(err)
	}
	walkFiles(t, l.dir, func(rel string, info fs.FileInfo) { // the copy is open to all
		if err := os.Chmod(filepath.Join(dir, rel), info.Mode().Perm()); err != nil {
			t.Fatal(err)
		}
	})
	run, err := pipeline.Open(t.Context(), dir, pipeline.Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	_, err = run.Do(t.Context(), stage)
	if err == nil {
		t.Fatal("the run went on")
	}
	report(&out, err, false)
	report(&out, err, true)
	if err := run.Close(); err != nil {
		t.Fatal(err)
	}
	for _, f := range l.hunt.inFolder(t, dir) {
		t.Error(f)
	}
	return out.String(), n.Load()
}

// leakEcho is all that a server knows: what it was sent, the key, and what it may have
// seen of the notes. It is one line.
func leakEcho(r *http.Request, note string) string {
	body, _ := io.ReadAll(r.Body)
	var request struct{ Messages []struct{ Content string } }
	_ = json.Unmarshal(body, &request)
	var b strings.Builder
	b.WriteString(note + " " + r.Header.Get("Authorization"))
	for _, m := range request.Messages {
		b.WriteString(" " + m.Content)
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// leakHead is the beginning of an echo, for headers and names.
func leakHead(echo string) string { return echo[:min(len(echo), 400)] }

// leakName is an echo in the form of a code.
func leakName(echo string) string {
	return strings.Trim(regexp.MustCompile(`[^A-Za-z0-9]+`).ReplaceAllString(echo[:40], "_"), "_")
}

func leakAnswer(w http.ResponseWriter, status int, body any) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func leakFaultOf(message, kind string, code any) map[string]any {
	return map[string]any{"error": map[string]any{"message": message, "type": kind, "code": code, "param": message}}
}

// leakEndings are answers that no other request would better.
var leakEndings = map[string]func(w http.ResponseWriter, echo, away string){
	"redirect": func(w http.ResponseWriter, echo, away string) {
		w.Header().Set("Location", away+"/?q="+url.QueryEscape(echo))
		leakAnswer(w, http.StatusTemporaryRedirect, leakFaultOf(echo, echo, echo))
	},
	"key": func(w http.ResponseWriter, echo, _ string) {
		w.Header().Set("Www-Authenticate", "Bearer realm="+strconv.Quote(leakHead(echo)))
		leakAnswer(w, http.StatusUnauthorized, leakFaultOf("Incorrect API key provided: "+leakKey, leakKey, leakKey))
	},
	"account": func(w http.ResponseWriter, echo, _ string) {
		leakAnswer(w, http.StatusTooManyRequests, leakFaultOf(echo, "insufficient_quota", echo))
	},
	"model": func(w http.ResponseWriter, echo, _ string) {
		leakAnswer(w, http.StatusNotFound, leakFaultOf(echo, leakName(echo), leakName(echo)))
	},
}

// leakFault is a way in which a server misbehaves and a later request may pass.
type leakFault struct {
	name string
	play func(w http.ResponseWriter, echo string)
}

// leakBytes answers with bytes of one's own.
func leakBytes(w http.ResponseWriter, text string) {
	conn, out, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	_, _ = out.WriteString(text)
	_ = out.Flush()
	_ = conn.Close()
}

func leakChoice(content, finish, model string) map[string]any {
	return map[string]any{"model": model, "choices": []any{map[string]any{"message": map[string]any{"content": content, "reasoning_content": leakReply}, "finish_reason": finish}},
		"usage": map[string]int{"prompt_tokens": 5, "completion_tokens": 3}}
}

var leakFaults = []leakFault{
	// The first three make one attempt an infra_error.
	{"internal error", func(w http.ResponseWriter, echo string) {
		leakAnswer(w, http.StatusInternalServerError, leakFaultOf(echo, echo, echo))
	}},
	{"code", func(w http.ResponseWriter, echo string) {
		leakAnswer(w, http.StatusBadRequest, leakFaultOf(echo, leakName(echo), leakName(echo)))
	}},
	{"key as code", func(w http.ResponseWriter, echo string) {
		leakAnswer(w, http.StatusBadRequest, leakFaultOf(leakKey, leakKey, leakKey))
	}},
	{"headers", func(w http.ResponseWriter, echo string) {
		for _, key := range []string{"X-Request-Id", "Server", "Set-Cookie", "Retry-After"} {
			w.Header().Set(key, leakHead(echo))
		}
		leakAnswer(w, http.StatusServiceUnavailable, echo)
	}},
	{"reason phrase", func(w http.ResponseWriter, echo string) {
		leakBytes(w, "HTTP/1.1 500 "+leakHead(echo)+"\r\nContent-Length: 0\r\n\r\n")
	}},
	{"no HTTP", func(w http.ResponseWriter, echo string) { leakBytes(w, echo) }},
	{"bad header", func(w http.ResponseWriter, echo string) {
		leakBytes(w, "HTTP/1.1 200 OK\r\n"+leakHead(echo)+"\r\n\r\n")
	}},
	{"bad JSON", func(w http.ResponseWriter, echo string) {
		_, _ = io.WriteString(w, `{"choices":[{"message":{"content":`+echo)
	}},
	{"reset", func(w http.ResponseWriter, _ string) { leakBytes(w, "") }},
	{"wrong types", func(w http.ResponseWriter, echo string) {
		leakAnswer(w, http.StatusOK, map[string]any{"choices": echo, "usage": echo})
	}},
	{"cut", func(w http.ResponseWriter, echo string) {
		leakBytes(w, "HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n{\"choices\":[\""+echo)
	}},
	{"afterwards", func(w http.ResponseWriter, echo string) { // net/http tells the standard log
		body, _ := json.Marshal(leakChoice(leakReply, "stop", "tiny"))
		leakBytes(w, fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s%s", len(body), body, leakHead(echo)))
	}},
	{"no choice", func(w http.ResponseWriter, echo string) {
		leakAnswer(w, http.StatusOK, map[string]any{"model": echo, "choices": []any{}})
	}},
	{"content filter", func(w http.ResponseWriter, echo string) {
		leakAnswer(w, http.StatusOK, leakChoice(echo, "content_filter", "tiny"))
	}},
	{"another model", func(w http.ResponseWriter, echo string) {
		leakAnswer(w, http.StatusOK, leakChoice(leakReply, "stop", echo))
	}},
	{"context", func(w http.ResponseWriter, echo string) {
		leakAnswer(w, http.StatusBadRequest, leakFaultOf("maximum context length: "+echo, "", nil))
	}},
	{"busy", func(w http.ResponseWriter, echo string) {
		w.Header().Set("Retry-After-Ms", "1")
		leakAnswer(w, http.StatusTooManyRequests, leakFaultOf(echo, echo, echo))
	}},
}

// leakServer plays the faults in order, the first three in a row, and two good
// replies after each of the others. At a request it sends a signal to the process that
// asks.
type leakServer struct {
	note, away string
	asked, at  atomic.Int64
	pid        atomic.Int64
	signal     os.Signal
	mu         sync.Mutex
	names      []string
}

func (s *leakServer) served(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.names, name)
}

// listen serves at an address of the private network where the machine has one: for
// loopback ones nobody asks a proxy.
func (s *leakServer) listen(t *testing.T) string {
	t.Helper()
	host := "127.0.0.1"
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		p, err := netip.ParsePrefix(a.String())
		if err == nil && governance.Private(p.Addr()) && !p.Addr().IsLoopback() && !p.Addr().IsLinkLocalUnicast() {
			host = p.Addr().String()
		}
	}
	if host == "127.0.0.1" {
		t.Log("THE PROXY OF THE ENVIRONMENT IS NOT TESTED: this machine has no address but loopback in a private network")
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(s)
	_ = server.Listener.Close()
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	return server.URL + "/v1"
}

func (s *leakServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	echo := leakEcho(r, s.note)
	n := s.asked.Add(1)
	if n == s.at.Load() {
		if err := syscall.Kill(int(s.pid.Load()), s.signal.(syscall.Signal)); err != nil {
			return
		}
		if s.signal == syscall.SIGKILL {
			<-r.Context().Done()
			return
		}
	}
	i := int(n) - 1 // of leakFaults
	if n > 3 {
		if i = 3 + int(n-4)/3; (n-4)%3 != 0 {
			i = len(leakFaults)
		}
	}
	if i < len(leakFaults) {
		s.mu.Lock()
		s.names = append(s.names, leakFaults[i].name)
		s.mu.Unlock()
		leakFaults[i].play(w, echo)
		return
	}
	code := fmt.Sprintf("import os\nprint(dict(os.environ))\nprint(%q)", leakPrinted)
	if n%2 == 0 {
		code = fmt.Sprintf("raise ValueError(%q)", leakRaised)
	}
	action, _ := json.Marshal(map[string]any{"thought": leakReply, "action": schemas.ActionCodeExecution, "params": map[string]string{"code": code}})
	leakAnswer(w, http.StatusOK, leakChoice(string(action), "stop", "tiny"))
}

// leakAgent is a program that puts what it is given wherever it can: three faults in a
// row at first, then one before every two good replies. It counts beside itself.
const leakAgent = `
say() { printf '%s\n' "$1"; } # echo may read backslashes
while read -r line; do
	rest=${line#*'"id":"'}; id=${rest%%'"'*}
	rest=${line#*'"turn":'}; turn=${rest%%,*}
	head='"id":"'$id'","turn":'$turn
	case $line in
	'{"type":"hello"'*) say '{"type":"ready","protocol":1}'; continue ;;
	'{"type":"turn"'*) ;;
	*) continue ;;
	esac
	n=$(($(cat "$0.count" 2>/dev/null || echo 0) + 1)); echo $n >"$0.count"
	if [ $n -le 3 ] || [ $((n % 3)) = 1 ]; then
		case $((n <= 3 ? n : n / 3 + 3)) in
		1) printf '%s\n' "$line" >&2; exit 3 ;;
		2) printf '%s\n' "$line" ;;
		3) printf 'Here it is: %s\n' "$line" ;;
		4) say '{"type":"error",'"$head"',"message":"` + leakReply + `"}' ;;
		5) say '{"type":"reply",'"$head"',"content":"","` + leakReply + `":1}' ;;
		*) env >&2; kill -9 $$ ;;
		esac
		continue
	fi
	say '{"type":"reply",'"$head"',"content":"{\"action\":\"code_execution\",\"params\":{\"code\":\"print(\\\"` + leakPrinted + `\\\", '$n')\"}}"}'
done
`

// TestLeaksAreFound plants leaks of every kind that TestLeaks looks for, and holds the
// search to finding each.
func TestLeaksAreFound(t *testing.T) {
	l := newLeakRun(t)
	if found := l.hunt.inFolder(t, l.dir); len(found) > 0 {
		t.Fatalf("before anything is planted: %q", found)
	}
	quoted := fmt.Sprintf("%q", "said\n"+strings.ReplaceAll(l.note, " ", "\n"))
	for how, text := range map[string]string{
		"plain": "level=WARN msg=x error=" + l.note, "quoted": quoted, "a part": strings.Join(strings.Fields(l.note)[:gramWords], " "), "other case": strings.ToUpper(l.note),
		"a code": "status 400 (" + leakName(l.note) + ")", "a URL": "Get http://h/?q=" + url.QueryEscape(l.note), "a path": "100 % of http://h/" + url.PathEscape(l.note),
		"base64": "x " + base64.StdEncoding.EncodeToString([]byte(l.note)) + " y", "base64 of URLs": base64.URLEncoding.EncodeToString([]byte(l.note)),
		"a reply": leakReply, "printed": leakPrinted, "raised": "ValueError: " + leakRaised,
		"escaped": strings.ReplaceAll(l.note, " ", `\u0020`), "key": "Bearer " + leakKey, "half a key": leakKey[:20], "key in base64": base64.StdEncoding.EncodeToString([]byte(":" + leakKey + ":::")),
	} {
		if len(l.hunt.in(how, []byte(text))) == 0 {
			t.Errorf("not found: %s: %s", how, text)
		}
	}
	for _, innocent := range []string{"", "ehrcon/test/0011223344556677#00001", "endpoint http://h/v1: status 500: it is faulty", "an attempt begun anew at 2026-12-01T18:00:00Z", "100 %, %zz"} {
		if found := l.hunt.in("nothing", []byte(innocent)); len(found) > 0 {
			t.Errorf("%q", found)
		}
	}

	write := func(rel, text string, mode fs.FileMode) func(t *testing.T) func() {
		return func(t *testing.T) func() {
			path := filepath.Join(l.dir, rel)
			before, err := os.ReadFile(path)
			fresh := errors.Is(err, fs.ErrNotExist)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, append(before, text...), mode)); err != nil {
				t.Fatal(err)
			}
			return func() {
				err := os.WriteFile(path, before, 0o600)
				if fresh {
					err = os.Remove(path)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	journal := func(statements ...string) func(t *testing.T) func() {
		return func(t *testing.T) func() {
			path := filepath.Join(l.dir, "journal.db")
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			db, err := sql.Open("sqlite", path)
			for _, s := range statements {
				if err == nil {
					_, err = db.Exec(s, l.note)
				}
			}
			if err = errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
			return func() {
				if err := os.WriteFile(path, before, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	trajectory := func(t *testing.T) func() {
		dir := filepath.Join(l.dir, "trajectories", "credentialed", "ehrcon")
		rows := func(yield func(schemas.Trajectory, error) bool) {
			yield(schemas.Trajectory{TaskID: "a", Steps: []schemas.Step{{Observation: "{'KEY': '" + leakKey + "'}"}}}, nil)
		}
		if _, err := pq.WriteShards(t.Context(), dir, "test", rows, pq.Options{Private: true}); err != nil {
			t.Fatal(err)
		}
		return func() {
			if err := os.RemoveAll(filepath.Join(l.dir, "trajectories")); err != nil {
				t.Fatal(err)
			}
		}
	}
	for where, plant := range map[string]func(t *testing.T) func(){
		"manifest.json":  write("manifest.json", `{"error":`+quoted+`}`, 0o600),
		"access.log":     write("access.log", `{"endpoint":"http://h/?`+url.QueryEscape(l.note)+`"}`, 0o600),
		"report.json":    write("tasks/report.json", leakKey, 0o600),
		".staging":       write(".staging/rollout/half", l.note, 0o600),
		"the name":       write(leakName(l.note)+".txt", "x", 0o600),
		"units.key":      journal(`INSERT INTO units (stage, key, payload) VALUES ('rollout', ?, 'x')`),
		"units.stage":    journal(`INSERT INTO units (stage, key, payload) VALUES (?, 'a', 'x')`),
		"notes.text":     journal(`CREATE TABLE notes (text TEXT)`, `INSERT INTO notes VALUES (?)`),
		"exec.log":       write(execLogFile, "1: "+leakKey+"\n", 0o600),
		"exec.log: has":  write(execLogFile, "1: any\n", 0o644),
		"journal.db-wal": write("journal.db-wal", "", 0o644),
		"trajectories/":  trajectory,
	} {
		undo := plant(t)
		found := l.hunt.inFolder(t, l.dir)
		if !slices.ContainsFunc(found, func(f string) bool { return strings.Contains(f, where) }) {
			t.Errorf("not found in %s: %q", where, found)
		}
		undo()
		if found := l.hunt.inFolder(t, l.dir); len(found) > 0 {
			t.Fatalf("%s: the leak is still there: %q", where, found)
		}
	}

	// What goes elsewhere: by a proxy, and by a redirect.
	for how, ask := range map[string]func(away string) (*http.Client, string){
		"proxy": func(away string) (*http.Client, string) {
			u, _ := url.Parse(away)
			return &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(u), DisableKeepAlives: true}}, "http://model.example/v1"
		},
		"redirect": func(away string) (*http.Client, string) {
			server := httptest.NewServer(http.RedirectHandler(away, http.StatusTemporaryRedirect))
			t.Cleanup(server.Close)
			return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, server.URL
		},
	} {
		away := newElsewhere(t)
		if found := away.found(l.hunt); len(found) > 0 {
			t.Errorf("%q", found)
		}
		client, to := ask(away.url())
		client.Timeout = time.Minute
		res, err := client.Post(to, "application/json", strings.NewReader(`{"content":`+quoted+`}`))
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if found := strings.Join(away.found(l.hunt), "\n"); !strings.Contains(found, "row content") || !strings.Contains(found, "1 connections") {
			t.Errorf("%s: %q", how, found)
		}
	}
}
