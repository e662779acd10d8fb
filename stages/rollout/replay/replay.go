// Package replay is the policy that plays recorded attempts again: what an agent said
// is run in our sandbox and judged by our graders.
//
// Recordings are our own trajectories, the public release's history_*.json, and
// trajectories in the Agent Trajectory Interchange Format; which of them a file holds is
// told by its content. A recording belongs to the task that it names, or to the one that
// asks what it asked; one whose task is in doubt is refused and counted, never guessed.
//
// Attempt i at a task plays the task's i-th recording: in the order of folders and, in
// one, of the attempts' numbers. The replies come word for word, whatever is observed
// now; paths in their code that were upstream's are left as they are.
//
// In memory are where each recording lies and what was recorded of its verdict. The
// replies themselves are copied to a file that has no name, so that it is gone with the
// process.
package replay

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"log/slog"
	"math"
	"os"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/recording"
	"github.com/medgym-data/medgym-data/stages/rollout"
)

// Kind of the policy.
const Kind = "replay"

// The formats of recordings.
const (
	FormatAuto         = "auto"
	FormatTrajectories = "trajectories"
	FormatHistory      = "history"
	FormatATIF         = "atif"
)

// Formats lists what Options.Format may be.
var Formats = []string{FormatAuto, FormatTrajectories, FormatHistory, FormatATIF}

// Options say what is read.
type Options struct {
	Path     string // a file, a folder, or a run folder, of which the trajectories are read
	Format   string // empty: auto
	Tasks    string // the run folder's tasks
	Registry datasets.Registry
	Sources  []string // only tasks of these; none: all
	Splits   []string
	Model    string // who was recorded, where recordings do not say
	// Spool is a folder in which replies may be kept while they are played. Empty: they
	// are not kept, and nothing can be played.
	Spool string
	Log   *slog.Logger // nil: none
}

// mostAttempts is how many recordings of a task are played.
const mostAttempts = 99_999

// Recordings are matched recordings. They are rollout.Policies,
// rollout.Varying and rollout.Configured.
type Recordings struct {
	byTask   map[string][]entry
	policies []schemas.Policy
	spool    *os.File
	account  Account
	digest   string
}

// entry is a recording: where its replies lie, and what is known of it. A verdict that
// there is not is NaN.
type entry struct {
	order            int64
	offset           int64
	bytes            int32
	policy           int32
	reward, upstream float32
}

// Account tells what became of what was read.
type Account struct {
	Files    int            `json:"files"`
	Read     map[string]int `json:"recordings"` // by format
	Matched  map[string]int `json:"matched"`    // by how
	Refused  map[string]int `json:"refused,omitempty"`
	Faults   []Fault        `json:"faults,omitempty"` // the first of those that cannot be read
	Skipped  map[string]int `json:"files_skipped,omitempty"`
	Notes    map[string]int `json:"notes,omitempty"` // recordings that have what a replay cannot give back
	Sources  map[string]Of  `json:"sources"`
	Exposed  int            `json:"exposed_files,omitempty"` // that others can read, with rows which are not open
	Verdicts int            `json:"with_verdict"`
}

// Of counts what was matched with the tasks of a source.
type Of struct {
	Tier       schemas.Tier `json:"access_tier"`
	Tasks      int          `json:"tasks"`
	Recordings int          `json:"recordings"`
	Most       int          `json:"most_of_a_task"`
}

// Fault is a recording that cannot be read.
type Fault struct {
	File string `json:"file"`
	Line int64  `json:"line,omitempty"` // line, row or element, from 1; 0: the file
	What string `json:"what"`
}

// The names in Account.Notes.
const (
	NoteUpstreamPaths = "names_upstream_paths" // code names the folder of the public release's data
	NoteReplaced      = "replaced_replies"     // upstream's message stands where it could not read a reply
	NoteMedia         = "media_left_out"
	NoteUnasked       = "steps_without_a_model"
	NoteDelegated     = "subagents_left_out"
	NoteNoVerdict     = "no_verdict"
)

const maxFaults = 20

// Total is the number of recordings in a count.
func Total(counts map[string]int) int {
	n := 0
	for _, c := range counts {
		n += c
	}
	return n
}

// Open reads all recordings once and matches them with tasks. Where none can be played
// the error says why: the first fault, or the counts. The caller closes what it gets.
func Open(ctx context.Context, opts Options) (_ *Recordings, err error) {
	if opts.Format = cmp.Or(opts.Format, FormatAuto); !slices.Contains(Formats, opts.Format) {
		return nil, fmt.Errorf("format %q is none of auto, trajectories, history, atif", opts.Format)
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	root, err := rootOf(opts.Path)
	if err != nil {
		return nil, err
	}
	tasks, err := loadTasks(ctx, opts.Tasks, opts.Registry)
	if err != nil {
		return nil, err
	}
	r := &Recordings{byTask: map[string][]entry{}, account: Account{Read: map[string]int{}, Matched: map[string]int{},
		Refused: map[string]int{}, Skipped: map[string]int{}, Notes: map[string]int{}, Sources: map[string]Of{}}}
	in := &reading{opts: opts, tasks: tasks, out: r, sum: sha256.New(), policies: map[policyKey]int32{}, folders: map[string]int64{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	if opts.Spool != "" {
		if err := in.openSpool(); err != nil {
			return nil, err
		}
	}
	if err := in.walk(ctx, root); err != nil {
		return nil, err
	}
	return r, in.finish()
}

// openSpool makes the file of replies and takes its name away.
func (in *reading) openSpool() error {
	f, err := os.CreateTemp(in.opts.Spool, ".replay-*") // 0600
	if err != nil {
		return fmt.Errorf("keep recordings: %w", err)
	}
	in.out.spool, in.spooled = f, bufio.NewWriterSize(f, 1<<18)
	if err := os.Remove(f.Name()); err != nil {
		return fmt.Errorf("keep recordings: %w", err)
	}
	return nil
}

// reading is what is known while recordings are read.
type reading struct {
	opts     Options
	tasks    *catalog
	out      *Recordings
	spooled  *bufio.Writer
	offset   int64
	sum      hash.Hash
	policies map[policyKey]int32
	folders  map[string]int64
	exposed  string // the last file that others can read and that was counted
}

// policyKey is a policy that can be compared.
type policyKey struct {
	model, protocol   string
	temperature, topP float64
	maxTokens         int32
}

// take matches a recording and keeps it.
func (in *reading) take(at source, number int64, rec recording.Recording, h hint, order int64) error {
	account := &in.out.account
	account.Read[at.format]++
	if len(rec.Replies) == 0 {
		in.refuse(NoReply)
		return nil
	}
	n, how := in.tasks.match(rec.TaskID, rec.Opening, h)
	if n < 0 {
		in.refuse(how)
		return nil
	}
	task := &in.tasks.tasks[n]
	switch {
	case len(in.opts.Sources) > 0 && !slices.Contains(in.opts.Sources, task.source), len(in.opts.Splits) > 0 && !slices.Contains(in.opts.Splits, task.split):
		in.refuse(NotAsked)
		return nil
	case !task.ready:
		in.refuse(NotReady)
		return nil
	case len(in.out.byTask[task.id]) == mostAttempts:
		in.refuse(TooMany)
		return nil
	}
	if at.exposed && task.tier != schemas.TierOpen && in.exposed != at.path {
		in.exposed = at.path
		if account.Exposed++; account.Exposed == 1 {
			in.opts.Log.Warn("others can read a file of recordings of a source that is not open: take that from them with chmod go-rwx", "file", at.path, "source", task.source)
		}
	}
	e := entry{order: order, offset: in.offset, policy: in.policy(rec.Policy), reward: verdict(rec.Reward), upstream: verdict(rec.Upstream)}
	text, err := json.Marshal(rec.Replies, json.Deterministic(true))
	if err != nil {
		in.unreadable(at, number, "has figures that cannot be kept")
		return nil
	}
	if len(text) > math.MaxInt32 {
		in.unreadable(at, number, "is too long")
		return nil
	}
	e.bytes = int32(len(text))
	fmt.Fprintf(in.sum, "%s %d %d %v %v\n", task.id, order, len(text), e.reward, e.upstream)
	in.sum.Write(text)
	if in.spooled != nil {
		if _, err := in.spooled.Write(text); err != nil {
			return fmt.Errorf("keep recordings: %w", err)
		}
		in.offset += int64(len(text))
	}
	in.count(task, rec, at.format, how)
	in.out.byTask[task.id] = append(in.out.byTask[task.id], e)
	return nil
}

// count notes a recording that is kept.
func (in *reading) count(task *known, rec recording.Recording, format, how string) {
	account := &in.out.account
	account.Matched[how]++
	of := account.Sources[task.source]
	of.Tier = task.tier
	of.Recordings++
	have := len(in.out.byTask[task.id])
	if have == 0 {
		of.Tasks++
	}
	of.Most = max(of.Most, have+1)
	account.Sources[task.source] = of
	if rec.Reward != nil || rec.Upstream != nil {
		account.Verdicts++
	}
	note := func(name string, is bool) {
		if is {
			account.Notes[name]++
		}
	}
	note(NoteNoVerdict, rec.Reward == nil && rec.Upstream == nil)
	note(NoteReplaced, rec.Notes.Replaced > 0)
	note(NoteMedia, rec.Notes.Media > 0)
	note(NoteUnasked, rec.Notes.Unasked > 0)
	note(NoteDelegated, rec.Notes.Delegated > 0)
	note(NoteUpstreamPaths, format == FormatHistory && namesUpstream(rec.Replies, task.source))
}

func (in *reading) refuse(reason string) { in.out.account.Refused[reason]++ }

// unreadable refuses a recording that is damaged, and notes where.
func (in *reading) unreadable(at source, line int64, what string) {
	in.refuse(Unreadable)
	if account := &in.out.account; len(account.Faults) < maxFaults {
		account.Faults = append(account.Faults, Fault{at.path, line, what})
	}
}

// policy is the number of a recorded policy among those seen.
func (in *reading) policy(p schemas.Policy) int32 {
	p = schemas.Policy{Kind: Kind, Model: cmp.Or(p.Model, in.opts.Model), Temperature: p.Temperature, TopP: p.TopP, MaxTokens: p.MaxTokens, Protocol: p.Protocol}
	key := policyKey{p.Model, p.Protocol, number(p.Temperature), number(p.TopP), -1}
	if p.MaxTokens != nil {
		key.maxTokens = *p.MaxTokens
	}
	n, ok := in.policies[key]
	if !ok {
		n = int32(len(in.out.policies))
		in.policies[key] = n
		in.out.policies = append(in.out.policies, p)
		fmt.Fprintf(in.sum, "policy %q %v\n", p.Model, key)
	}
	return n
}

// number is -1 for none: neither is below 0.
func number(f *float64) float64 {
	if f == nil || math.IsNaN(*f) {
		return -1
	}
	return *f
}

func verdict(v *float64) float32 {
	if v == nil {
		return float32(math.NaN())
	}
	return float32(*v)
}

// finish puts the recordings of each task in order.
func (in *reading) finish() error {
	r := in.out
	if in.spooled != nil {
		if err := in.spooled.Flush(); err != nil {
			return fmt.Errorf("keep recordings: %w", err)
		}
	}
	for _, entries := range r.byTask {
		slices.SortStableFunc(entries, func(a, b entry) int { return cmp.Compare(a.order, b.order) })
	}
	r.digest = hex.EncodeToString(in.sum.Sum(nil))
	if len(r.byTask) > 0 {
		return nil
	}
	if faults := r.account.Refused[Unreadable]; faults > 0 && faults == Total(r.account.Refused) {
		f := r.account.Faults[0]
		return pipeline.BadInput(f.File, f.Line, f.What, "nothing here can be played; name a run folder, Parquet files of trajectories, history_*.json or ATIF")
	}
	return pipeline.BadInput(in.opts.Path, 0, "holds no recording of a task of this run folder"+r.account.why(),
		"name a run folder, Parquet files of trajectories, history_*.json or ATIF, and prepare the tasks that were recorded")
}

// why says what became of recordings and files that are not played.
func (a Account) why() string {
	if Total(a.Read) == 0 && Total(a.Refused) == 0 {
		return ""
	}
	text := fmt.Sprintf(": of %d recordings", Total(a.Read))
	for _, reason := range sortedKeys(a.Refused) {
		text += fmt.Sprintf(", %d %s", a.Refused[reason], reason)
	}
	return text
}

// Account tells what became of what was read.
func (r *Recordings) Account() Account { return r.account }

// Most is the largest number of recordings of one task.
func (r *Recordings) Most() int {
	most := 0
	for _, of := range r.account.Sources {
		most = max(most, of.Most)
	}
	return most
}

// Sources lists the sources of the tasks that there are recordings of.
func (r *Recordings) Sources() []string { return sortedKeys(r.account.Sources) }

// About implements rollout.Policies.
func (r *Recordings) About() schemas.Policy { return schemas.Policy{Kind: Kind} }

// Settings implements rollout.Configured: other recordings give other attempts.
func (r *Recordings) Settings() string { return "recordings sha256:" + r.digest }

// AboutAttempt implements rollout.Varying: it describes who was recorded.
func (r *Recordings) AboutAttempt(task schemas.Task, attempt int) schemas.Policy {
	if entries := r.byTask[task.TaskID]; attempt >= 0 && attempt < len(entries) {
		return r.policies[entries[attempt].policy]
	}
	return schemas.Policy{Kind: Kind}
}

// New implements rollout.Policies.
func (r *Recordings) New(task schemas.Task, attempt int, _ uint64) (rollout.Policy, error) {
	entries := r.byTask[task.TaskID]
	if attempt < 0 || attempt >= len(entries) {
		return nil, fmt.Errorf("task %s has %d recordings: %w", task.TaskID, len(entries), rollout.ErrNoPlay)
	}
	if r.spool == nil {
		return nil, errors.New("the recordings were matched only, not kept")
	}
	e := entries[attempt]
	text := make([]byte, e.bytes)
	if _, err := r.spool.ReadAt(text, e.offset); err != nil {
		return nil, fmt.Errorf("read what was kept of a recording: %w", err)
	}
	var replies []recording.Reply
	if json.Unmarshal(text, &replies) != nil { // the cause may quote it
		return nil, errors.New("what was kept of a recording cannot be read")
	}
	return &player{replies: replies}, nil
}

// Close gives the file of replies back. What was matched stays known.
func (r *Recordings) Close() error {
	if r.spool == nil {
		return nil
	}
	err := r.spool.Close()
	r.spool = nil
	return err
}

// player plays one recording, then gives up.
type player struct {
	replies []recording.Reply
	next    int
}

// Next implements rollout.Policy. What the replies had cost was paid when they were
// recorded, and their prompts were others: neither is told.
func (p *player) Next(ctx context.Context, _ rollout.Conversation) (rollout.Reply, error) {
	if err := ctx.Err(); err != nil {
		return rollout.Reply{}, err
	}
	if p.next == len(p.replies) {
		return rollout.Reply{Done: true}, nil
	}
	r := p.replies[p.next]
	p.next++
	return rollout.Reply{Content: r.Content, Reasoning: r.Reasoning, Calls: r.Calls, Truncated: r.Truncated,
		CompletionTokens: r.CompletionTokens, FinishReason: r.FinishReason, TokenIDs: r.TokenIDs, Logprobs: r.Logprobs}, nil
}
