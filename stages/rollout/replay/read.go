package replay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/pipeline/jsonl"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/schemas/pq"
	"github.com/medgym-data/medgym-data/stages/internal/atif"
	"github.com/medgym-data/medgym-data/stages/internal/recording"
)

// source is a file that is being read.
type source struct {
	path    string
	format  string
	exposed bool  // others can read it
	folder  int64 // number of its folder, above those seen before
}

// order of a recording: that of its folder, then its own number.
func (s source) order(number int64) int64 { return s.folder<<32 | number&(1<<32-1) }

// rootOf is what is read of a path: of a run folder its trajectories.
func rootOf(path string) (string, error) {
	root := path
	info, err := os.Lstat(path)
	if err == nil && info.Mode().Type() == fs.ModeSymlink { // a walk does not follow its root
		root, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return "", unopened(path, err)
	}
	if pipeline.Exists(root) {
		root = filepath.Join(root, "trajectories")
		if _, err := os.Stat(root); errors.Is(err, fs.ErrNotExist) {
			return "", pipeline.BadInput(path, 0, "is a run folder without trajectories", "name one in which medgym-data rollout has run")
		}
	}
	return root, nil
}

func unopened(path string, err error) error {
	var known *fs.PathError
	if errors.As(err, &known) {
		err = known.Err
	}
	return &pipeline.InputError{File: path, What: "cannot be read", Err: err}
}

// walk reads every file below root.
func (in *reading) walk(ctx context.Context, root string) error {
	info, err := os.Stat(root)
	if err != nil {
		return unopened(root, err)
	}
	if !info.IsDir() {
		return in.file(ctx, root, info, true)
	}
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return unopened(path, err)
		}
		if d.IsDir() {
			return nil
		}
		if !d.Type().IsRegular() {
			in.skip(NotARecord)
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return unopened(path, err)
		}
		return in.file(ctx, path, info, false)
	})
}

func (in *reading) skip(reason string) { in.out.account.Skipped[reason]++ }

// file reads one file. One that is named alone is to hold recordings.
func (in *reading) file(ctx context.Context, path string, info fs.FileInfo, alone bool) error {
	folder, ok := in.folders[filepath.Dir(path)]
	if !ok {
		folder = int64(len(in.folders))
		in.folders[filepath.Dir(path)] = folder
	}
	at := source{path: path, exposed: info.Mode().Perm()&0o044 != 0, folder: folder}
	name := strings.TrimSuffix(filepath.Base(path), ".gz")
	isJSON := slices.Contains([]string{".json", ".jsonl", ".ndjson"}, filepath.Ext(name))
	if !alone && !isJSON && !strings.HasSuffix(name, ".parquet") {
		in.skip(NotARecord)
		return nil
	}
	var layout layout
	if strings.HasSuffix(name, ".parquet") {
		at.format = FormatTrajectories
	} else {
		var err error
		if at.format, layout, err = recognize(ctx, path); err != nil {
			return err
		}
	}
	if _, named := indexOf(name); named && at.format == "" {
		at.format = FormatHistory // one that is cut or empty
	}
	switch {
	case at.format == "" && alone:
		in.out.account.Files++
		in.unreadable(at, 0, "is neither Parquet, nor a history of the public release, nor ATIF")
		return nil
	case at.format == "":
		in.skip(NotARecord)
		return nil
	case in.opts.Format != FormatAuto && in.opts.Format != at.format:
		in.skip(OtherFormat)
		if alone {
			in.unreadable(at, 0, "holds "+at.format+", and --format says "+in.opts.Format)
		}
		return nil
	}
	in.out.account.Files++
	switch at.format {
	case FormatTrajectories:
		return in.trajectories(ctx, at)
	case FormatHistory:
		return in.history(ctx, at)
	default:
		return in.atif(ctx, at, layout)
	}
}

// trajectories reads a Parquet file of ours.
func (in *reading) trajectories(ctx context.Context, at source) error {
	row := int64(0)
	for t, err := range pq.ReadFile[schemas.Trajectory](ctx, at.path) {
		row++
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			in.unreadable(at, row, "is no row of trajectories, or damaged, or of another schema version")
			return nil
		}
		if t.Validate() != nil {
			in.unreadable(at, row, "is a row outside the contract of trajectories")
			continue
		}
		rec, err := recording.FromTrajectory(t)
		if err != nil {
			in.unreadable(at, row, err.Error())
			continue
		}
		if err := in.take(at, row, rec, hint{index: -1}, at.order(int64(schemas.Value(t.Attempt)))); err != nil {
			return err
		}
	}
	return nil
}

// history reads a file of the public release. What task it is of is told by its name
// and its folders: <task>/<tag>/<mode>/history_<index>….json.
func (in *reading) history(ctx context.Context, at source) error {
	f, err := os.Open(at.path)
	if err != nil {
		return unopened(at.path, err)
	}
	defer f.Close()
	unpacked, err := jsonl.Gunzip(at.path, f)
	var rec recording.Recording
	if err == nil {
		rec, err = readHistory(ctx, unpacked)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		in.out.account.Read[at.format]++
		bad := asFault(err)
		if bad == nil {
			return unopened(at.path, err)
		}
		in.unreadable(at, bad.line, bad.what)
		return nil
	}
	h, attempt := in.hint(at.path)
	return in.take(at, 1, rec, h, at.order(attempt))
}

// hint reads the name and the folders of a history. Of several folders with the name of
// a source, or of a mode, the nearest counts; what the user has named alone does where
// there is none.
func (in *reading) hint(path string) (h hint, attempt int64) {
	h.index = -1
	name := strings.TrimSuffix(filepath.Base(path), ".gz")
	if index, ok := indexOf(name); ok {
		h.index = index
		if m := historyName.FindStringSubmatch(name); m[2] != "" {
			attempt, _ = strconv.ParseInt(m[2], 10, 64) // nine digits
			attempt++
		}
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	folders := strings.Split(filepath.ToSlash(filepath.Dir(path)), "/")
	for _, folder := range slices.Backward(folders) {
		if h.split == "" && h.source == "" && (folder == schemas.SplitTrain || folder == schemas.SplitTest) {
			h.split = folder
		}
		if h.source == "" && in.tasks.sources[folder] {
			h.source = folder
		}
	}
	if h.source == "" && len(in.opts.Sources) == 1 {
		h.source = in.opts.Sources[0]
	}
	if h.split == "" && len(in.opts.Splits) == 1 {
		h.split = in.opts.Splits[0]
	}
	return h, attempt
}

// namesUpstream says whether code names the folder in which the public release keeps
// the data of a source.
func namesUpstream(replies []recording.Reply, id string) bool {
	return slices.ContainsFunc(replies, func(r recording.Reply) bool { return strings.Contains(r.Content, "data/"+id) })
}

// atif reads a file of documents.
func (in *reading) atif(ctx context.Context, at source, how layout) error {
	number := int64(0)
	one := func(line int64, data []byte) error {
		number++
		doc, err := atif.Parse(data)
		if err == nil {
			var rec recording.Recording
			if rec, err = atif.ToRecording(doc); err == nil {
				return in.take(at, line, rec, hint{index: -1}, at.order(number))
			}
		}
		in.out.account.Read[at.format]++
		in.unreadable(at, line, "ATIF, "+err.Error()) // a *atif.Fault, which quotes nothing
		return nil
	}
	err := each(ctx, at.path, how, one)
	if bad := asFault(err); bad != nil && ctx.Err() == nil {
		in.unreadable(at, bad.line, bad.what)
		return nil
	}
	return err
}

// layout is how documents lie in a file.
type layout int

const (
	lines layout = iota // one a line, or the elements of one array
	whole               // one, over several lines
)

// each hands over every document of a file. Its errors are yield's, ctx's, *jsonl.Error
// or *fault.
func each(ctx context.Context, path string, how layout, yield func(line int64, data []byte) error) error {
	f, err := os.Open(path)
	if err != nil {
		return unopened(path, err)
	}
	defer f.Close()
	in, err := jsonl.Gunzip(path, f)
	if err != nil {
		return err
	}
	if how == whole {
		data, err := io.ReadAll(io.LimitReader(in, jsonl.DefaultMax+1))
		switch {
		case err != nil:
			return &fault{1, err.Error()}
		case len(data) > jsonl.DefaultMax:
			return &fault{1, fmt.Sprintf("has more than %d bytes, the most that are read of a document", jsonl.DefaultMax)}
		}
		return yield(1, bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	}
	return jsonl.ReadArray(ctx, in, jsonl.Options{}, func(line jsonl.Line) error {
		if line.Fault == jsonl.TooLong {
			return &fault{line.Number, "is too long"}
		}
		return yield(line.Number, line.Data)
	})
}

// errEnough ends the reading of a file that is known.
var errEnough = errors.New("enough")

// recognize tells what a JSON file holds by its first value: empty for nothing that is
// known. Its error is one of the file system, or ctx's.
func recognize(ctx context.Context, path string) (format string, how layout, err error) {
	for _, how := range []layout{lines, whole} {
		known := false
		err := each(ctx, path, how, func(_ int64, data []byte) error {
			if format, known = formatOf(data); !known && how == whole && bytes.Contains(data, []byte(`"`+atif.Prefix)) {
				format, known = FormatATIF, true // damaged
			}
			return errEnough
		})
		var input *pipeline.InputError
		switch {
		case errors.As(err, &input), ctx.Err() != nil:
			return "", how, err
		case known && how == whole && format == FormatATIF && holdsLines(ctx, path):
			return format, lines, nil
		case known:
			return format, how, nil
		}
	}
	return "", lines, nil
}

// holdsLines says whether one of a file's first lines is a document, though the first
// is none.
func holdsLines(ctx context.Context, path string) bool {
	const tried = 100
	found := false
	_ = each(ctx, path, lines, func(line int64, data []byte) error { // a fault is told when the file is read
		format, _ := formatOf(data)
		if found = format == FormatATIF; found || line >= tried {
			return errEnough
		}
		return nil
	})
	return found
}

// formatOf is the format of a file whose first value this is. known is false where it
// is no whole value: what begins as a document may go on on the next line.
func formatOf(data []byte) (format string, known bool) {
	var members map[string]jsontext.Value
	if json.Unmarshal(data, &members, jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true)) != nil {
		return "", false
	}
	has := func(name string) bool { _, ok := members[name]; return ok }
	var version string
	if v := members["schema_version"]; v.Kind() == '"' && json.Unmarshal(v, &version) == nil && strings.HasPrefix(version, atif.Prefix) {
		return FormatATIF, true
	}
	if has("role") && has("content") || has("result") && len(members) <= 2 {
		return FormatHistory, true
	}
	return "", true
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
