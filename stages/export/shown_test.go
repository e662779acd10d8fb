package export_test

import (
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/export"
	"github.com/medgym-data/medgym-data/stages/internal/window"
)

// A reply that was written to a conversation with old observations in short is
// trained on with just that conversation, and attempts that were shown the same one
// differently make no pair.
func TestShownInShort(t *testing.T) {
	long := strings.Repeat("row of a table\n", 100)
	cut := func(a schemas.Trajectory, turn, n int) schemas.Trajectory {
		a.Steps[turn-1].CutMessages, a.Steps[turn-1].CutTokens = schemas.Ptr(int32(n)), schemas.Ptr(int64(100))
		return a
	}
	opts := export.Options{Configs: []string{schemas.ConfigSFT, schemas.ConfigDPO}}
	var made schemas.Trajectory
	dir := one(t, opts, func(task schemas.Task) []schemas.Trajectory {
		made = cut(attempt(task, 0, look("a", long), submit("wrong", 0), look("b", long), submit("right", 1)), 4, 1)
		return []schemas.Trajectory{made}
	})
	sft := rowsOf[schemas.SFT](t, dir, schemas.TierOpen, schemas.ConfigSFT)
	want := window.Shown(made.Messages, 1)
	if len(sft) != 1 || len(sft[0].Messages) > len(want) {
		t.Fatalf("%d rows", len(sft))
	}
	for i, m := range sft[0].Messages {
		if m.Content != want[i].Content {
			t.Errorf("turn %d is %q, the policy was shown %q", i, m.Content, want[i].Content)
		}
	}
	if len(sft[0].Messages[3].Content) > window.Short || len(sft[0].Messages[7].Content) < len(long) {
		t.Error("not the oldest observation is in short")
	}
	dpo := rowsOf[schemas.DPO](t, dir, schemas.TierOpen, schemas.ConfigDPO)
	if len(dpo) != 1 || len(dpo[0].Prompt[3].Content) < len(long) {
		t.Errorf("the wrong submission was an answer to the whole observation: %d pairs", len(dpo))
	}

	dir = one(t, opts, func(task schemas.Task) []schemas.Trajectory {
		return []schemas.Trajectory{cut(attempt(task, 0, look("a", long), submit("right", 1)), 2, 1), attempt(task, 1, look("a", long), submit("wrong", 0))}
	})
	if drops := dropsOf(t, dir, schemas.ConfigDPO); drops["best_worst prompts_differ"] != 1 {
		t.Errorf("left out %v", drops)
	}
}
