package replay

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/recording"
)

func TestReadHistory(t *testing.T) {
	reply := func(texts ...string) (out []recording.Reply) {
		for _, text := range texts {
			out = append(out, recording.Reply{Content: text})
		}
		return out
	}
	zero, one := schemas.Ptr(0.0), schemas.Ptr(1.0)
	const shown = `{"role": "system", "content": "s"}, {"role": "user", "content": "q"}, `
	for _, tt := range []struct {
		name, text string
		opening    string
		replies    []recording.Reply
		upstream   *float64
		replaced   int
		line       int64
		says       string
	}{
		{name: "solved", text: `[` + shown + `{"role": "assistant", "content": "a"}, {"role": "user", "content": "o"}, {"role": "assistant", "content": "b"}, {"result": "success", "score": 1}]`,
			opening: "s\nq", replies: reply("a", "b"), upstream: one},
		{name: "as json.dump indents it", text: "[\n    {\n        \"role\": \"user\",\n        \"content\": \"s\\n\\u00e9\"\n    },\n    {\n        \"role\": \"assistant\",\n        \"content\": \"a\"\n    },\n    {\n        \"result\": \"failure\"\n    }\n]",
			opening: "s\né", replies: reply("a"), upstream: zero},
		{name: "a figure", text: `[` + shown + `{"role": "assistant", "content": "a"}, {"result": "success", "score": 0.8125}]`, opening: "s\nq", replies: reply("a"), upstream: schemas.Ptr(0.8125)},
		{name: "no score", text: `[` + shown + `{"role": "assistant", "content": "a"}, {"result": "success", "score": null}]`, opening: "s\nq", replies: reply("a"), upstream: one},
		{name: "stopped", text: `[` + shown + `{"role": "assistant", "content": "a"}]`, opening: "s\nq", replies: reply("a")},
		{name: "asked twice", text: `[` + shown + `{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]`, opening: "s\nq\nq", replies: reply("a")},
		{name: "a reply that upstream replaced", text: `[` + shown + `{"role": "assistant", "content": "Error: Failed to fix parse error: Invalid JSON format. Please regenerate the action."}]`,
			opening: "s\nq", replies: reply("Error: Failed to fix parse error: Invalid JSON format. Please regenerate the action."), replaced: 1},
		{name: "parts", text: `[{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]`, opening: "a\nb"},
		{name: "half a surrogate", text: `[{"role": "assistant", "content": "a\ud800"}]`, replies: reply("a\uFFFD")},
		{name: "unknown members", text: `[{"role": "assistant", "content": "a", "name": "x"}]`, replies: reply("a")},
		{name: "nothing", text: `[]`},

		{name: "cut", text: `[` + shown + `{"role": "assistant", "content": "SEC`, line: 3, says: "cut short"},
		{name: "no array", text: `{"role": "user", "content": "q"} SECRET`, line: 1, says: "entry 1 of the history is no message"},
		{name: "a text", text: `["SECRET"]`, line: 1, says: "entry 1 of the history is no message"},
		{name: "no role", text: `[{"content": "SECRET"}]`, line: 1, says: "neither a role nor a result"},
		{name: "another role", text: `[{"role": "SECRET", "content": "SECRET"}]`, line: 1, says: "a role that is none of"},
		{name: "no content", text: `[{"role": "user", "content": null}]`, line: 1, says: "has no text"},
		{name: "an image", text: `[{"role": "user", "content": [{"type": "image_url", "image_url": "SECRET"}]}]`, line: 1, says: "has no text"},
		{name: "another result", text: `[` + shown + `{"result": "SECRET"}]`, line: 3, says: "neither success nor failure"},
		{name: "a score that is none", text: `[` + shown + `{"result": "success", "score": "SECRET"}]`, line: 3, says: "a score that is no number"},
		{name: "a score too high", text: `[` + shown + `{"result": "success", "score": 2}]`, line: 3, says: "outside 0 to 1"},
		{name: "more behind the result", text: `[{"result": "failure"}, ` + shown + `{"result": "failure"}]`, line: 2, says: "stands behind the result"},
		{name: "a member twice", text: `[{"role": "user", "role": "assistant", "content": "SECRET"}]`, line: 1, says: "is no message"},
		{name: "empty", text: ``},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readHistory(t.Context(), strings.NewReader(tt.text))
			if tt.says != "" {
				f := asFault(err)
				if f == nil || f.line != tt.line || !strings.Contains(f.what, tt.says) || strings.Contains(f.what, "SEC") {
					t.Errorf("%v (%+v), want %q at %d", err, f, tt.says, tt.line)
				}
				return
			}
			want := recording.Recording{Opening: tt.opening, Replies: tt.replies, Upstream: tt.upstream, Policy: schemas.Policy{Protocol: "json"}, Notes: recording.Notes{Replaced: tt.replaced}}
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, %v\nwant %+v", got, err, want)
			}
		})
	}
}

func TestIndexOf(t *testing.T) {
	for name, want := range map[string]int64{
		"history_0.json": 0, "history_12_3.json": 12, "history_007.json": 7, "history_.json": -1, "history_1_.json": -1, "history_-1.json": -1,
		"history_1.jsonl": -1, "a_history_1.json": -1, "history_9999999999.json": -1, "history_1_2_3.json": -1,
	} {
		got, ok := indexOf(name)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
}

// FuzzReadHistory: no text makes the reader panic, and its errors have a place and quote
// nothing.
func FuzzReadHistory(f *testing.F) {
	for _, seed := range []string{
		`[{"role": "system", "content": "s"}, {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}, {"result": "success", "score": 1}]`,
		`[{"role": "user", "content": [{"type": "text", "text": "a"}]}, {"result": "failure"}]`, `[`, `[{"role": "assistant"`, `{}`, "[{\"role\": \"user\", \"content\": \"\xff\"}]",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rec, err := readHistory(context.Background(), strings.NewReader(text))
		if err == nil {
			if rec.Upstream != nil && (*rec.Upstream < 0 || *rec.Upstream > 1) {
				t.Errorf("a verdict of %v", *rec.Upstream)
			}
			return
		}
		if f := asFault(err); f == nil || f.line < 1 || f.what == "" {
			t.Errorf("%v has no place", err)
		}
	})
}
