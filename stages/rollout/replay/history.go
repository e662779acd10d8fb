package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/medgym-data/medgym-data/pipeline/jsonl"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/recording"
)

// historyName matches the files of the public release: history_<index>.json of one
// attempt a task, history_<index>_<attempt>.json of several. The index counts the rows
// of a task file from 0.
var historyName = regexp.MustCompile(`^history_([0-9]{1,9})(?:_([0-9]{1,9}))?\.json$`)

// indexOf is the index in a file's name.
func indexOf(name string) (index int64, ok bool) {
	m := historyName.FindStringSubmatch(name)
	if m == nil {
		return 0, false
	}
	index, err := strconv.ParseInt(m[1], 10, 64)
	return index, err == nil
}

// fault says what is wrong with a recording and where in its file: a line, or an
// element. It quotes nothing of it.
type fault struct {
	line int64
	what string
}

func (f *fault) Error() string { return f.what }

// historyEntry is one entry of a history: a message, or the result at the end.
type historyEntry struct {
	Role    *string        `json:"role"`
	Content jsontext.Value `json:"content"`
	Result  *string        `json:"result"`
	Score   jsontext.Value `json:"score"`
}

// replaced is how the public release begins what it puts in the place of a reply that
// it could not read. Its end asks for the action anew.
const (
	replacedHead = "Error: "
	replacedTail = "Please regenerate the action."
)

// readHistory reads a history_*.json of the public release: a list of messages with
// role and content, and {"result": "success", "score": …} or {"result": "failure"} at
// the end, which a run that was stopped lacks. Errors are *fault, *jsonl.Error or
// ctx's.
//
// What upstream could not read stands there as upstream's own message about it, and is
// counted: the model's words are lost.
func readHistory(ctx context.Context, in io.Reader) (recording.Recording, error) {
	r := recording.Recording{Policy: schemas.Policy{Protocol: "json"}}
	var opening []string
	ended := false
	err := jsonl.ReadArray(ctx, in, jsonl.Options{}, func(line jsonl.Line) error {
		wrong := func(what string) error {
			return &fault{line.Number, fmt.Sprintf("entry %d of the history %s", line.Number, what)}
		}
		if line.Fault == jsonl.TooLong {
			return wrong("is too long")
		}
		var entry historyEntry
		if json.Unmarshal(line.Data, &entry, jsontext.AllowInvalidUTF8(true)) != nil {
			return wrong("is no message")
		}
		switch {
		case ended:
			return wrong("stands behind the result")
		case entry.Result != nil && entry.Role == nil:
			ended = true
			return entry.verdict(&r, wrong)
		case entry.Role == nil:
			return wrong("has neither a role nor a result")
		}
		text, ok := historyText(entry.Content)
		if !ok {
			return wrong("has no text")
		}
		switch *entry.Role {
		case schemas.RoleAssistant:
			if strings.HasPrefix(text, replacedHead) && strings.HasSuffix(text, replacedTail) {
				r.Notes.Replaced++
			}
			r.Replies = append(r.Replies, recording.Reply{Content: text})
		case schemas.RoleSystem, schemas.RoleUser:
			if len(r.Replies) == 0 {
				opening = append(opening, text)
			}
		default:
			return wrong("has a role that is none of system, user, assistant")
		}
		return nil
	})
	r.Opening = strings.Join(opening, "\n")
	return r, err
}

// verdict takes the result of a history. Success with a score is that of the tasks
// whose verdict is a figure.
func (e historyEntry) verdict(r *recording.Recording, wrong func(string) error) error {
	switch *e.Result {
	case "failure":
		r.Upstream = schemas.Ptr(0.0)
	case "success":
		score := 1.0
		if len(e.Score) > 0 && e.Score.Kind() != 'n' && json.Unmarshal(e.Score, &score) != nil {
			return wrong("has a score that is no number")
		}
		if score < 0 || score > 1 {
			return wrong("has a score outside 0 to 1")
		}
		r.Upstream = &score
	default:
		return wrong("has a result that is neither success nor failure")
	}
	return nil
}

// historyText is the text of a message: as such, or in parts.
func historyText(v jsontext.Value) (string, bool) {
	var text string
	switch v.Kind() {
	case '"':
		err := json.Unmarshal(v, &text, jsontext.AllowInvalidUTF8(true))
		return text, err == nil
	case '[':
		var parts []struct {
			Type string  `json:"type"`
			Text *string `json:"text"`
		}
		if json.Unmarshal(v, &parts, jsontext.AllowInvalidUTF8(true)) != nil {
			return "", false
		}
		var texts []string
		for _, p := range parts {
			if p.Type != "text" || p.Text == nil {
				return "", false
			}
			texts = append(texts, *p.Text)
		}
		return strings.Join(texts, "\n"), true
	}
	return "", false
}

// asFault makes a fault of what a reader says.
func asFault(err error) *fault {
	var f *fault
	var file *jsonl.Error
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &file):
		return &fault{file.Line, file.Err.Error()}
	}
	return nil
}
