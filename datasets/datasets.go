// Package datasets holds the contract that every source meets, and the types
// that pass between a source and the stages.
//
// A source is a Spec and one method, Normalize. What else it can do (grade,
// furnish a session, play its gold solution) are one-method interfaces of their
// own; a stage asks for them with a type assertion. A new source is one folder
// below this one and one generated line in datasets/all.
package datasets

import (
	"context"
	"io"

	"github.com/medgym-data/medgym-data/schemas"
)

// Adapter turns the raw download of one source into tasks.
type Adapter interface {
	// Spec describes the source. It is a constant of the adapter.
	Spec() Spec

	// Normalize reads every raw row once, in file order, and emits for each
	// exactly one task or one rejection with its reason. It must not drop a row
	// in silence: the stage adds the two up. An error is for faults of the whole
	// (an unreadable file, a cancelled context), never of one row.
	Normalize(ctx context.Context, raw Raw, emit Emitter) error
}

// Grader judges a submission against its task. It runs outside the agent's
// sandbox, on what was recorded; where it must run code, it does so through run,
// each time in a fresh sandbox that the agent never touched.
//
// An error means that no verdict could be had (grader_error), never that the
// submission is wrong.
type Grader interface {
	Grade(ctx context.Context, task schemas.Task, sub Submission, run Runner) (Verdict, error)
}

// Furnisher is for sources whose sessions need files, services, captured
// variables or a wrapper around the agent's code. A source without it gets an
// empty session in which the variable answer is captured.
type Furnisher interface {
	Furnish(ctx context.Context, task schemas.Task, raw Files) (Session, error)
}

// Referencer writes the programs of an agent that knows the gold solution. They
// play the reference policy and the gold check of validate.
type Referencer interface {
	Reference(task schemas.Task) (Reference, error)
}

// Phraser is for sources whose Question is not what the public release asks an agent,
// word for word: its recordings name no task, and are known by what they asked.
// White space does not count.
type Phraser interface {
	// Phrases gives what a recording may have asked for a task, whole; any of them will
	// do.
	Phrases(task schemas.Task) []string
}

// Builder is for sources whose tasks ask about a file that has to be made of raw
// ones first, such as the database of a folder of tables. It is made before
// Normalize is called, once: it is kept as long as its key and inputs are the same,
// and sources that name the same ones share it.
type Builder interface {
	// Builds lists what is to be made; nothing where the download brings it.
	Builds(raw Raw) ([]Build, error)
}

// Build is a file to be made. Files know it afterwards as BuiltPrefix + Name.
type Build struct {
	Name   string   // mimic_iii.db
	Inputs []string // raw files that are read
	Key    string   // all else that the file depends on: options, the version of the program that makes it
	// Make writes the file to path, private to the user. It tells its progress in
	// bytes of the inputs read so far. Faults of an input are *FileError.
	Make func(ctx context.Context, path string, progress func(bytes int64)) error
}

// BuiltPrefix begins the names of files that were built.
const BuiltPrefix = "built/"

// Synthesizer writes a synthetic download of the source, with questions, gold and
// answers that are true of the data it writes. No row of it comes from a real
// source.
type Synthesizer interface {
	Synthesize(ctx context.Context, opts SynthOptions, create func(name string) (io.WriteCloser, error)) error
}

// SynthOptions size a synthetic download.
type SynthOptions struct {
	Train, Test int // rows
	Seed        uint64
	// Shared is the same for all sources of a download: what they have in common,
	// the patients of one hospital, follows from it.
	Shared uint64
	// Layout is the id of one of the source's layouts; empty for its first.
	Layout string
}

// Spec is everything about a source that does not depend on the raw data. It is
// the one place that the catalogue, the README table and the docs are made from.
type Spec struct {
	ID           string // folder name, id in every table: biocoder
	Name         string // MedCalcBench
	Summary      string // one sentence in our own words
	Reference    string // paper or URL to cite
	Domain       string // DB, DA, Bioinfo, ML (paper, table 2)
	Kind         string // structured, open-ended
	Distribution string // in, out
	Categories   int    // number of categories that the paper counts
	License      string // SPDX where there is one
	Tier         schemas.Tier
	Agreement    Agreement // what its data stand under; demanded of every tier but open

	// Full and Leaderboard are the paper's counts; Release is what the
	// published files hold, which differs in places.
	Full, Leaderboard, Release Counts
	// BothSplits says that the tasks of either split are the same ones, as far as the
	// paper counts: its totals have such a task once, as a test.
	BothSplits bool

	Actions []string // what the agent may do, schemas.Action…
	Layouts []Layout // in order of preference

	Mounts   []Mount   // folders outside the raw folder that it can use
	Settings []Setting // what the user may set

	AdapterVersion string // bump when tasks change
	GraderVersion  string // bump when a verdict can change
}

// Counts are rows by split.
type Counts struct{ Train, Test int }

// Total is the sum over both splits.
func (c Counts) Total() int { return c.Train + c.Test }

// Layout is one form of raw download that an adapter recognizes.
type Layout struct {
	ID    string // medagentgym, release
	Help  string // where it comes from
	Files []LayoutFile
}

// Mount is data that lies elsewhere and may be large: a folder that the user names
// with a flag of prepare. Its files count as files of the source below Prefix.
// Sources that share the data share the flag.
type Mount struct {
	Prefix string // tables
	Flag   string // mimic-iii
	Help   string
}

// Setting is a flag of prepare whose value the adapter reads with Files.Option.
// Sources may share one.
type Setting struct {
	Name    string // of the flag, and of the option
	Help    string
	Default string // shown in the help; Option is empty where the user sets nothing
	Switch  bool   // has no value: Option is "true" or empty
}

// LayoutFile is a file of a layout, relative to the source's folder.
type LayoutFile struct {
	Pattern  string // path.Match pattern: test_tasks.jsonl, data/*.csv
	Split    string // the split of its rows, SplitBoth or SplitByGroup; empty for a resource
	Role     Role
	Optional bool
	Help     string
}

// Splits of rows that are neither train nor test.
const (
	// SplitBoth is for rows that serve as both: the stage makes of each a task in
	// either split.
	SplitBoth = "both"
	// SplitByGroup is for sources without splits of their own: the stage draws one
	// for each Row.Group, half and half, so that no group is on both sides.
	SplitByGroup = "by_group"
)

// Role says what a file of a layout is for.
type Role string

// The roles of files.
const (
	RoleRows     Role = "rows"     // raw rows, one task each
	RoleResource Role = "resource" // data that tasks need
	RoleIgnored  Role = "ignored"  // known, not needed
)

// Files opens what lies in the raw folder of one source. Names are
// slash-separated and relative to it.
type Files interface {
	// Glob lists the files that match a path.Match pattern, sorted.
	Glob(pattern string) []string
	// Path is the name on the host's disk, for files that are bound into a sandbox.
	Path(name string) string
	// Stat tells size and SHA-256 from the inventory; false when absent.
	Stat(name string) (FileInfo, bool)
	// ReadFile reads a whole file, transparently gunzipped where it ends in .gz.
	// It refuses files above 256 MiB: those are streamed with Rows.
	ReadFile(name string) ([]byte, error)
	// Rows streams the rows of a file (.gz allowed), each as one JSON value:
	//
	//	*.csv          records, as objects of text by column name; Line is where one begins
	//	*.json         elements, where the file is one array; Line is the element, from 1
	//	anything else  lines, and *.json that is no array: JSON Lines; Line is the line
	//
	// BOM and CR are stripped, blank lines skipped. What cannot be a row (too long,
	// not UTF-8, a record with too few fields) comes with Row.Fault set; the error
	// is for faults of the file.
	Rows(ctx context.Context, name string, yield func(Row) error) error
	// Option is a user setting that adapters may read, such as "fhir-url".
	Option(name string) string
}

// FileInfo is a file's entry in the inventory.
type FileInfo struct {
	Name   string
	Bytes  int64
	SHA256 string
}

// Raw is the download of one source, in one recognized layout.
type Raw interface {
	Files
	// Layout is the id of the layout that was recognized.
	Layout() string
}

// Emitter takes what Normalize makes of each raw row.
type Emitter interface {
	// Task emits the task of a row. The stage fills the columns that follow from
	// the Spec and the row (ids, hashes, licence, tier, versions) where empty.
	Task(row Row, task schemas.Task) error
	// Reject emits a row that cannot be a task, with the reason's name and a
	// detail that holds no row content.
	Reject(row Row, reason Reason, detail string) error
}

// Reason is why a row was rejected. The set is open; these are shared.
type Reason string

// The shared reasons.
const (
	ReasonMalformed    Reason = "malformed_json"
	ReasonWrongType    Reason = "wrong_type"
	ReasonMissingField Reason = "missing_field"
	ReasonBadValue     Reason = "bad_value"
	ReasonInvalidUTF8  Reason = "invalid_utf8"
	ReasonTooLong      Reason = "line_too_long"
	ReasonDuplicate    Reason = "duplicate_row" // given by the stage
)

// Submission is what an agent handed in: plain data, recorded when the step ran.
// Values are in the plain codec (package grading): JSON, with tagged objects for
// what JSON lacks.
type Submission struct {
	Code     string              `json:"code"`               // the agent's own code, unwrapped
	Answer   RawValue            `json:"answer,omitempty"`   // the variable answer; empty if it was not set
	Captured map[string]RawValue `json:"captured,omitempty"` // the variables that Session.Capture names
	Stdout   string              `json:"stdout,omitempty"`
	Stderr   string              `json:"stderr,omitempty"`  // the public release judges it with Stdout
	Records  map[string]RawValue `json:"records,omitempty"` // what each service recorded during the step
	Status   string              `json:"status"`            // sandbox status: ok, error, timeout, ...
	Error    string              `json:"error,omitempty"`   // exception type where status is error
}

// Verdict is a grader's judgement.
type Verdict struct {
	Reward   float64  // strict: 1 or 0
	Upstream float64  // what the public release would say, faults included
	Score    *float64 // 0..1, graded tasks only
	Reason   string   // short, without row content: out_of_bounds, not_a_number, ...
}

// Runner runs grading code in a fresh sandbox.
type Runner interface {
	Run(ctx context.Context, p Program) (Output, error)
}

// Program is Python to run with no session state.
type Program struct {
	Code    string
	Files   []File
	Inject  map[string]RawValue // variables set before Code runs, in the plain codec
	Capture []Capture
	Seed    uint64
}

// Output is what a Program did.
type Output struct {
	Status   string // ok, error, timeout, memory, output_limit, killed
	Error    string // exception type
	Message  string
	Stdout   string
	Stderr   string
	Answer   RawValue
	Captured map[string]RawValue
}

// Capture names a variable to hand over as plain data once the code has ended.
// Attrs are read from values that the codec has no form for (fitted models).
type Capture struct {
	Name  string
	Attrs []string
}

// Session is what an agent's sandbox holds for one task.
type Session struct {
	Files    []File
	Services []Service
	Capture  []Capture                // besides answer
	Wrap     func(code string) string // the program made of the agent's code; nil runs it as it is
	// Submits says whether a code_execution is a submission. Nil: when it set answer.
	Submits func(sub Submission) bool
}

// File is read-only in the sandbox. Exactly one of HostPath, Content and RawName
// is set.
type File struct {
	Path     string // absolute in the sandbox, below /workdir or /data
	HostPath string
	Content  []byte
	// RawName names a file of the source's raw folder. It is for graders, which
	// have no Files; whoever makes their Runner resolves it, see WithRaw.
	RawName string
}

// Service is reachable in the sandbox as http://127.0.0.1:Port and localhost, and
// is served on the host, outside it. It belongs to one session.
type Service struct {
	Name    string
	Port    int
	Handler HTTPHandler
	// Drain returns what the service recorded since the last call, for the grader.
	Drain func() RawValue
}

// Reference is how an agent that knows the answer would play a task.
type Reference struct {
	Right   string   // a program that solves it
	Wrong   []string // programs that run and give a wrong answer
	Explore []string // programs that look around and set no answer
}
