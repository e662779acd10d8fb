package export_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/pipeline/jsonl"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/export"
	"github.com/medgym-data/medgym-data/stages/internal/atif"
)

// exchanged exports a world as ATIF.
func exchanged(t *testing.T, run *pipeline.Run, opts export.Options) (map[string]map[string]export.ATIFSummary, error) {
	t.Helper()
	stage, err := export.ATIFStage(opts)
	if err != nil {
		t.Fatal(err)
	}
	res, err := run.Do(t.Context(), stage)
	if err != nil {
		return nil, err
	}
	sum, err := export.ReadATIFSummary(res)
	if err != nil {
		t.Fatal(err)
	}
	return sum, nil
}

// documents reads the ids of the documents of a split, in order.
func documents(t *testing.T, dir, tier, split string) (ids []string, shards int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, export.OutputATIF, tier, split+"-*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		err := jsonl.ReadFile(t.Context(), file, jsonl.Options{}, func(line jsonl.Line) error {
			d, err := atif.Parse(line.Data)
			if err == nil {
				ids = append(ids, *d.TrajectoryID)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return ids, len(files)
}

func exchange() world {
	var w world
	for _, source := range []string{"a", "b"} {
		for _, split := range []string{"train", "test"} {
			task := taskOf(source, split, 1)
			if source == "b" {
				task.AccessTier = schemas.TierCredentialed
			}
			lost := attempt(task, 2)
			lost.Outcome, lost.Reward, lost.RewardUpstream, lost.Messages = schemas.OutcomeInfraError, nil, nil, nil
			ungraded := attempt(task, 3, submit("x", 0))
			ungraded.Outcome, ungraded.Reward, ungraded.RewardUpstream = schemas.OutcomeGraderError, nil, nil
			w.add(task, attempt(task, 0, submit("wrong", 0), submit("right", 1)), attempt(task, 1, look("x", "y")), lost, ungraded)
		}
	}
	return w
}

func TestATIF(t *testing.T) {
	dir := t.TempDir()
	run := exchange().open(t, dir)
	sum, err := exchanged(t, run, export.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for tier, source := range map[string]string{"open": "a", "credentialed": "b"} {
		for _, split := range []string{"train", "test"} {
			ids, _ := documents(t, dir, tier, split)
			task := source + "/" + split + "/0001/"
			if want := []string{task + "0", task + "1", task + "3"}; !slices.Equal(ids, want) {
				t.Errorf("%s/%s: %v, want %v", tier, split, ids, want)
			}
			if s := sum[tier][split]; s.Trajectories != 4 || s.Documents != 3 || s.LeftOut["no_messages"] != 1 || s.Files != 1 {
				t.Errorf("%s/%s: %+v", tier, split, s)
			}
		}
	}
	for path, want := range map[string]os.FileMode{"credentialed": 0o700, "credentialed/train-00000-of-00001.jsonl": 0o600} {
		info, err := os.Stat(filepath.Join(dir, export.OutputATIF, filepath.FromSlash(path)))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	if err := do(t, run, export.Options{}); err != nil {
		t.Errorf("training sets beside it: %v", err)
	}
	if _, err := exchanged(t, run, export.Options{Sources: []string{"none"}}); err == nil {
		t.Error("a source without trajectories was exported")
	}
	if err := export.RequireOpen(dir, export.Options{}); err == nil {
		t.Error("rows that are not open pass for a public hub")
	}
}

func TestATIFShards(t *testing.T) {
	whole, parts := t.TempDir(), t.TempDir()
	if _, err := exchanged(t, exchange().open(t, whole), export.Options{}); err != nil {
		t.Fatal(err)
	}
	sum, err := exchanged(t, exchange().open(t, parts), export.Options{ShardBytes: 1, Splits: []string{"train"}, Sources: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	want, _ := documents(t, whole, "open", "train")
	got, shards := documents(t, parts, "open", "train")
	if !slices.Equal(got, want) || shards != 3 || sum["open"]["train"].Files != 3 {
		t.Errorf("%d shards with %v, want 3 with %v", shards, got, want)
	}
	if _, err := os.Stat(filepath.Join(parts, export.OutputATIF, "credentialed")); !errors.Is(err, os.ErrNotExist) {
		t.Error("a source that was not asked for is there")
	}
	hidden, err := filepath.Glob(filepath.Join(parts, export.OutputATIF, "*", ".*"))
	if err != nil || len(hidden) > 0 {
		t.Errorf("left behind: %v, %v", hidden, err)
	}
}
