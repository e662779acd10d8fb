// Package export makes training sets of trajectories: sft, dpo and verifier.
//
// It reads trajectories/<tier>/<source>/<split>-*.parquet and the tasks they
// belong to, one task's attempts at a time, and writes for every access tier
//
//	datasets/<tier>/<config>/<split>-0000i-of-0000N.parquet
//	datasets/<tier>/README.md           dataset card, its counts read back from the files
//	datasets/<tier>/stats.json          Report
//	datasets/<tier>/token_lengths.csv   rows above each common maximum length
//
// The splits of the tasks stay the splits of the sets: train rows come from train
// tasks only. Rows of two tiers never share a file or a folder.
//
// Trajectories without a reward (infra_error, grader_error) enter no set. Whatever
// else is left out is counted with its reason: for sft and verifier rows and drops
// add up to the trajectories, for dpo to the candidate pairs.
//
// Equal inputs and options give equal bytes. Rows go by source, task, attempt; a
// set that needs several shards puts a row in that of its task's hash, so a shard
// whose rows are unchanged keeps its bytes when others change. mg_build therefore
// digests what a row was made from and how, not the whole build.
package export

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/pipeline/governance"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/schemas/pq"
	"github.com/medgym-data/medgym-data/stages/internal/rawfiles"
	"github.com/medgym-data/medgym-data/stages/internal/selection"
	"github.com/medgym-data/medgym-data/stages/internal/tokens"
)

// version of the stage: bump when the same inputs give other rows.
const version = "1"

// Output is the stage's folder below the run folder.
const Output = "datasets"

// Configs are the sets that can be made, in the order of cards and tables.
var Configs = []string{schemas.ConfigSFT, schemas.ConfigDPO, schemas.ConfigVerifier}

// Strategies are the pair strategies of dpo.
var Strategies = []string{schemas.StrategyIntermediate, schemas.StrategyBestWorst}

// Options of the stage. The zero value of each field but Registry stands for its
// default.
type Options struct {
	Registry   datasets.Registry // names, licences and references for the card
	Configs    []string          // all of Configs
	Strategies []string          // all of Strategies
	Sources    []string          // every source that has trajectories
	Splits     []string          // train and test, each a split of its own
	// Subset and SubsetFraction export part of the tasks: full or leaderboard, and of
	// the training tasks 0.25, 0.5, 0.75 or 1.
	Subset         string
	SubsetFraction float64
	// Screened leaves out, and counts, what belongs to training tasks that the screen
	// stage has marked; it is then an input.
	Screened bool
	// Trajectories and Tasks are the stages whose outputs are read: rollout and
	// normalize. What a later stage wrote over them in their folder is what is read.
	Trajectories, Tasks string
	MaxTokens           int     // of a verifier row: 32,768
	MaxSimilarity       float64 // of chosen and rejected, below which a pair is kept: 0.99
	KeepDuplicates      bool    // keep exact duplicates of rows
	Seed                uint64  // of the draw that balances verifier: 1
	ShardBytes          int64   // most bytes of a shard: 200 MB
}

func (o Options) withDefaults() (Options, error) {
	fill := func(list *[]string, all []string, what string) error {
		if len(*list) == 0 {
			*list = all
		}
		for _, name := range *list {
			if !slices.Contains(all, name) {
				return fmt.Errorf("unknown %s %q; known: %s", what, name, strings.Join(all, ", "))
			}
		}
		var ordered []string
		for _, name := range all {
			if slices.Contains(*list, name) {
				ordered = append(ordered, name)
			}
		}
		*list = ordered
		return nil
	}
	err := errors.Join(
		fill(&o.Configs, Configs, "training set"),
		fill(&o.Strategies, Strategies, "pair strategy"),
		fill(&o.Splits, []string{schemas.SplitTrain, schemas.SplitTest}, "split"))
	if err != nil {
		return o, err
	}
	o.Sources = slices.Clone(o.Sources)
	slices.Sort(o.Sources)
	o.Sources = slices.Compact(o.Sources)
	part, err := o.part().Check()
	if err != nil {
		return o, err
	}
	o.Subset, o.SubsetFraction = part.Subset, part.Fraction
	o.Trajectories = cmp.Or(o.Trajectories, "rollout")
	o.Tasks = cmp.Or(o.Tasks, "normalize")
	o.MaxTokens = cmp.Or(o.MaxTokens, 32_768)
	o.MaxSimilarity = cmp.Or(o.MaxSimilarity, 0.99)
	o.Seed = cmp.Or(o.Seed, 1)
	o.ShardBytes = cmp.Or(o.ShardBytes, 200e6)
	if o.MaxTokens < 0 || o.ShardBytes < 0 {
		return o, errors.New("a number of tokens or bytes is not above 0")
	}
	if o.MaxSimilarity < 0 || o.MaxSimilarity > 1 {
		return o, errors.New("the similarity of a pair lies between 0 and 1")
	}
	return o, nil
}

func (o Options) part() selection.Selection {
	return selection.Selection{Subset: o.Subset, Fraction: o.SubsetFraction}
}

// rowConfig is what decides how a row is made; it is part of every mg_build.
type rowConfig struct {
	Version       string  `json:"version"`
	Schema        int32   `json:"schema"`
	Tokenizer     string  `json:"tokenizer"`
	MaxTokens     int     `json:"max_tokens"`
	MaxSimilarity float64 `json:"max_similarity"`
}

// stageConfig is what decides which rows are made.
type stageConfig struct {
	Rows           rowConfig `json:"rows"`
	Strategies     []string  `json:"strategies"`
	Sources        []string  `json:"sources"`
	Splits         []string  `json:"splits"`
	KeepDuplicates bool      `json:"keep_duplicates"`
	Seed           uint64    `json:"seed"`
	ShardBytes     int64     `json:"shard_bytes"`
	Part           string    `json:"part,omitempty"` // subset and fraction, where it is not all
}

// inputs are the stages whose outputs are read.
func (o Options) inputs() []string {
	inputs := []string{o.Trajectories, o.Tasks}
	if o.Screened {
		inputs = append(inputs, selection.Screening)
	}
	return inputs
}

func (o Options) config() stageConfig {
	return stageConfig{
		Rows: rowConfig{Version: version, Schema: schemas.Version, Tokenizer: tokens.Name,
			MaxTokens: o.MaxTokens, MaxSimilarity: o.MaxSimilarity},
		Strategies: o.Strategies, Sources: o.Sources, Splits: o.Splits,
		KeepDuplicates: o.KeepDuplicates, Seed: o.Seed, ShardBytes: o.ShardBytes,
		Part: o.part().Name(),
	}
}

// Stage makes the stage. Asking for another set than last time is no drift of the
// config: the folder is made anew with the sets that are asked for now.
func Stage(opts Options) (pipeline.Stage, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return pipeline.Stage{}, err
	}
	return pipeline.Stage{
		Name: "export", Version: version, Output: Output, Sources: opts.Sources,
		Config: opts.config(),
		Inputs: opts.inputs(),
		Extern: map[string]string{"sets": strings.Join(opts.Configs, ","), "catalogue": catalogue(opts.Registry)},
		Work:   func(ctx context.Context, w *pipeline.Work) error { return work(ctx, w, opts) },
	}, nil
}

// catalogue digests what cards say about sources.
func catalogue(registry datasets.Registry) string {
	h := sha256.New()
	for _, a := range registry {
		s := a.Spec()
		fmt.Fprintf(h, "%q %q %q %q %q\n", s.ID, s.Name, s.License, s.Reference, s.Agreement)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// Require says whether a run folder has trajectories, before it is opened: opening
// makes the folder.
func Require(dir string) error {
	path := filepath.Join(dir, trajectoriesFolder)
	files, err := pq.Files(path)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case len(files) == 0:
		return noTrajectories(path)
	}
	return nil
}

// RequireOpen refuses an export for a public hub that would hold rows which are not
// open. opts are those of the stage; nothing is read but the names of files.
func RequireOpen(dir string, opts Options) error {
	opts, err := opts.withDefaults()
	if err != nil {
		return err
	}
	in, err := scan(filepath.Join(dir, trajectoriesFolder), "", opts)
	if err != nil {
		return err
	}
	var closed []string
	for _, tier := range schemas.Tiers {
		if tier == schemas.TierOpen {
			continue
		}
		for _, at := range in.tiers[tier] {
			entry := fmt.Sprintf("%s (%s)", at.source, tier)
			if !slices.Contains(closed, entry) {
				closed = append(closed, entry)
			}
		}
	}
	if len(closed) == 0 {
		return nil
	}
	return pipeline.Refused("an export for a public hub holds open rows alone, and this one would mix in rows of "+strings.Join(closed, ", "),
		"name open sources with --source, or leave out --public: each tier is then written to a folder of its own")
}

func noTrajectories(path string) error {
	return pipeline.BadInput(path, 0, "holds no trajectories", "run medgym-data rollout on this run folder first")
}

// Made lists the sets that a run folder has. A set that is asked for alone joins
// them.
func Made(dir string) ([]string, error) {
	reports, err := ReadReports(dir)
	if err != nil {
		return nil, err
	}
	var made []string
	for _, r := range reports {
		made = append(made, r.Configs...)
	}
	slices.Sort(made)
	return slices.Compact(made), nil
}

// ReadReports reads the stats.json of every tier of a run folder; none when
// nothing was exported.
func ReadReports(dir string) ([]Report, error) {
	var out []Report
	for _, tier := range schemas.Tiers {
		path := filepath.Join(dir, Output, tier, "stats.json")
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read report: %w", err)
		}
		var r Report
		if err := json.Unmarshal(data, &r); err != nil {
			return nil, fmt.Errorf("read report %s: %w", path, err)
		}
		out = append(out, r)
	}
	return out, nil
}

func work(ctx context.Context, w *pipeline.Work, opts Options) error {
	counter, err := tokens.New()
	if err != nil {
		return err
	}
	in, err := inputOf(ctx, w, opts)
	if err != nil {
		return err
	}
	var used []governance.InUse
	if _, err := w.Run.Summary(rawfiles.Stage, rawfiles.RecordsKey, &used); err != nil {
		return err
	}
	var synthetic []string
	for _, u := range used {
		if u.Agreement == governance.NoAgreement {
			synthetic = append(synthetic, u.Source)
		}
	}
	meter := w.Progress("export", 0)
	defer meter.Done()
	for _, tier := range schemas.Tiers {
		if len(in.tiers[tier]) == 0 {
			continue
		}
		t := &tierExport{tier: tier, synthetic: synthetic, opts: opts, build: newBuilder(opts, counter), meter: meter,
			dir: filepath.Join(w.Dir(), tier), spool: filepath.Join(w.Dir(), ".spool", tier), tally: newTally()}
		report, err := t.export(ctx, in)
		if err != nil {
			return err
		}
		summarize(w, report)
	}
	return os.RemoveAll(filepath.Join(w.Dir(), ".spool"))
}

// summarize puts the number of rows of every split into the manifest.
func summarize(w *pipeline.Work, r Report) {
	rows := map[string]map[string]int64{}
	for _, s := range r.Sets {
		if rows[s.Config] == nil {
			rows[s.Config] = map[string]int64{}
		}
		rows[s.Config][s.Split] = s.Rows
	}
	w.Summarize(r.Tier, rows)
}
