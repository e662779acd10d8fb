package replay

import (
	"context"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/schemas/pq"
)

// How a recording was matched with its task.
const (
	ByID       = "task_id"  // the recording names it
	ByIndex    = "index"    // the row of the task file that upstream's index counts, and it asks the same
	ByQuestion = "question" // no other task asks what the recording asked
)

// Why a recording is refused.
const (
	Unreadable  = "unreadable"         // no recording, or a damaged one
	NoReply     = "no_reply"           // nothing was said
	UnknownTask = "unknown_task"       // the task that it names is not in this run folder
	NoTask      = "no_such_question"   // no task asks what it asked
	Ambiguous   = "ambiguous"          // several tasks do, and nothing tells which
	Disagrees   = "index_disagrees"    // the row that its index counts asks something else
	NotReady    = "task_not_ready"     // its task cannot be sampled
	NotAsked    = "not_asked_for"      // of another source or split
	OtherFormat = "of_another_format"  // than --format says
	NotARecord  = "not_a_recording"    // a file of something else
	TooMany     = "too_many_of_a_task" // more than a task can have attempts
)

// hint is what is known of a recording's task beside what it says itself.
type hint struct {
	source, split string
	index         int64 // in a task file of the public release; -1: not known
}

// catalog knows the tasks of a run folder by id, by row and by question. It keeps of
// each its id and what it asks, without white space.
type catalog struct {
	tasks   []known
	byID    map[string]int32
	byRow   map[rowKey][]int32
	byHead  map[string][]phrase // phrases by their first headBytes
	sources map[string]bool
}

// known is a task.
type known struct {
	id, source, split string
	tier              schemas.Tier
	ready             bool
	phrases           []string
	context           string // the beginning of what the task adds to its question; empty: nothing
	spoken            bool   // the phrases hold all that tells the task apart
}

type rowKey struct {
	source string
	row    int64
}

type phrase struct {
	text string
	task int32
}

const (
	headBytes    = 16
	contextBytes = 256
)

// loadTasks reads the tasks of a run folder.
func loadTasks(ctx context.Context, dir string, registry datasets.Registry) (*catalog, error) {
	c := &catalog{byID: map[string]int32{}, byRow: map[rowKey][]int32{}, byHead: map[string][]phrase{}, sources: map[string]bool{}}
	phrasers := map[string]datasets.Phraser{}
	for _, adapter := range registry {
		id := adapter.Spec().ID
		c.sources[id] = true
		if p, ok := adapter.(datasets.Phraser); ok {
			phrasers[id] = p
		}
	}
	for task, err := range pq.ReadDir[schemas.Task](ctx, dir) {
		if err != nil {
			return nil, pipeline.BadInput(dir, 0, "the tasks cannot be read", "run medgym-data prepare again")
		}
		n := int32(len(c.tasks))
		k := known{id: task.TaskID, source: task.Source, split: task.Split, tier: task.AccessTier, ready: task.Status == schemas.StatusReady}
		asked := []string{task.Question}
		if p := phrasers[task.Source]; p != nil {
			asked, k.spoken = p.Phrases(task), true
		}
		if !k.spoken {
			k.context = compact(task.Context)
			k.context = strings.Clone(k.context[:min(len(k.context), contextBytes)])
		}
		for _, text := range asked {
			text = compact(text)
			if text == "" {
				continue
			}
			k.phrases = append(k.phrases, text)
			head := text[:min(len(text), headBytes)]
			c.byHead[head] = append(c.byHead[head], phrase{text, n})
		}
		c.byID[task.TaskID] = n
		if isTaskFile(task.RawFile) && task.RawLine != nil {
			key := rowKey{task.Source, *task.RawLine}
			c.byRow[key] = append(c.byRow[key], n)
		}
		c.tasks = append(c.tasks, k)
	}
	return c, nil
}

// isTaskFile says whether a raw file is one whose rows the public release counts:
// train_tasks.jsonl and its like. Rows of a benchmark's own release are others.
func isTaskFile(name string) bool {
	name = strings.TrimSuffix(path.Base(name), ".gz")
	return strings.HasSuffix(name, ".jsonl") && strings.Contains(name, "task")
}

// compact drops white space.
func compact(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, text)
}

// match finds the task of a recording, and says how; or why there is none.
//
// A task that is named by id is that one. Otherwise the recording has to ask what the
// task asks, on lines of its own. Where several tasks do, or the question leaves out
// what tells tasks apart, the index has to name one of them; where the index names a
// task that asks something else, nothing is matched.
func (c *catalog) match(taskID, opening string, h hint) (task int32, how string) {
	if taskID != "" {
		if n, ok := c.byID[taskID]; ok {
			return n, ByID
		}
		return -1, UnknownTask
	}
	text := squeeze(opening)
	asked := slices.DeleteFunc(c.asked(text), func(n int32) bool { return !c.of(n, h) })
	var indexed []int32
	if h.index >= 0 && h.source != "" {
		for _, n := range c.byRow[rowKey{h.source, h.index + 1}] {
			if c.of(n, h) {
				indexed = append(indexed, n)
			}
		}
	}
	if len(indexed) > 0 {
		both := slices.DeleteFunc(slices.Clone(indexed), func(n int32) bool { return !slices.Contains(asked, n) })
		switch len(both) {
		case 0:
			return -1, Disagrees
		case 1:
			return both[0], ByIndex
		}
		return -1, Ambiguous
	}
	// Nothing but the question tells the task: it has to be all there.
	whole := slices.DeleteFunc(slices.Clone(asked), func(n int32) bool {
		k := &c.tasks[n]
		return !k.spoken && !strings.Contains(text.text, k.context)
	})
	switch {
	case len(asked) == 0:
		return -1, NoTask
	case len(whole) == 1:
		return whole[0], ByQuestion
	}
	return -1, Ambiguous
}

func (c *catalog) of(n int32, h hint) bool {
	k := &c.tasks[n]
	return (h.source == "" || k.source == h.source) && (h.split == "" || k.split == h.split)
}

// squeezed is a text without white space, and where its lines began and ended.
type squeezed struct {
	text   string
	starts []int
	ends   map[int]bool
}

// marker stands before the question on its line.
const marker = "Question:"

func squeeze(text string) squeezed {
	s := squeezed{ends: map[int]bool{}}
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = compact(line)
		if line == "" {
			continue
		}
		s.starts = append(s.starts, b.Len())
		if strings.HasPrefix(line, marker) {
			s.starts = append(s.starts, b.Len()+len(marker))
		}
		b.WriteString(line)
		s.ends[b.Len()] = true
	}
	s.text = b.String()
	return s
}

// asked lists the tasks whose phrase stands in a text, from the beginning of a line, or
// the marker, to the end of a line. Of phrases that lie in each other the longest
// counts; where there are several apart, all do.
func (c *catalog) asked(s squeezed) []int32 {
	type span struct{ from, to int }
	found := map[span][]int32{}
	for _, from := range s.starts {
		tail := s.text[from:]
		for n := min(headBytes, len(tail)); n > 0; n-- {
			if n < headBytes && !s.ends[from+n] {
				continue // a phrase as short is its own head
			}
			for _, p := range c.byHead[tail[:n]] {
				if to := from + len(p.text); strings.HasPrefix(tail, p.text) && s.ends[to] {
					found[span{from, to}] = append(found[span{from, to}], p.task)
				}
			}
		}
	}
	var tasks []int32
	for at, ns := range found {
		inside := false
		for other := range found {
			inside = inside || other != at && other.from <= at.from && at.to <= other.to
		}
		if !inside {
			tasks = append(tasks, ns...)
		}
	}
	slices.Sort(tasks)
	return slices.Compact(tasks)
}
