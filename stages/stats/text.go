package stats

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/medgym-data/medgym-data/schemas"
)

// WriteJSON writes stats.json.
func (r Report) WriteJSON(w io.Writer) error { return writeJSON(w, r) }

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write stats: %w", err)
	}
	return nil
}

// WriteText writes the tables for a terminal.
func (r Report) WriteText(w io.Writer) error {
	var tables []string
	if r.Tasks != nil {
		tables = append(tables, r.Tasks.tables()...)
	}
	if r.Trajectories != nil {
		tables = append(tables, r.Trajectories.tables()...)
	}
	if len(r.TrainingSets) > 0 {
		tables = append(tables, setTables(r.TrainingSets)...)
	}
	if len(tables) == 0 {
		tables = []string{"no tables to count: run prepare first"}
	}
	if _, err := io.WriteString(w, strings.Join(tables, "\n\n")+"\n"); err != nil {
		return fmt.Errorf("write stats: %w", err)
	}
	return nil
}

// grid makes a table with a title. Every column from the first numeric one on,
// counted from 1, is aligned to the right.
func grid(title string, numeric int, header table.Row, rows []table.Row) string {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	t.SetTitle("%s", title)
	t.AppendHeader(header)
	t.AppendRows(rows)
	var columns []table.ColumnConfig
	for i := 1; i < numeric; i++ {
		columns = append(columns, table.ColumnConfig{Number: i, WidthMax: 80}) // reasons can be long
	}
	for i := numeric; i <= len(header); i++ {
		columns = append(columns, table.ColumnConfig{Number: i, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	t.SetColumnConfigs(columns)
	return t.Render()
}

func (e Expected) String() string {
	if e.Difference == nil {
		return "-"
	}
	return fmt.Sprintf("%d (%+d)", e.Theirs, *e.Difference)
}

func (t *Tasks) tables() []string {
	var rows []table.Row
	for _, s := range t.Sources {
		rows = append(rows, table.Row{s.Source, s.Split, s.Raw, s.Tasks, s.Rejected, s.Ready, s.MissingResources, s.Ungradable, s.Quarantined, s.Full, s.Leaderboard, s.Release})
	}
	out := []string{grid("Tasks; in brackets, ours minus theirs", 3, table.Row{"source", "split", "raw", "tasks", "rejected", "ready", "missing", "ungradable", "quarantined", "paper", "leaderboard", "release"}, rows)}

	if reasons := slices.Concat(t.Rejected, t.NotReady); len(reasons) > 0 {
		rows = nil
		for _, r := range reasons {
			rows = append(rows, table.Row{r.Source, r.Status, r.Reason, r.Rows})
		}
		out = append(out, grid("Rows that cannot be sampled", 4, table.Row{"source", "status", "reason", "rows"}, rows))
	}
	rows = nil
	for _, k := range t.Kinds {
		rows = append(rows, table.Row{k.Source, k.Ours, k.Paper})
	}
	out = append(out, grid("Distinct categories", 2, table.Row{"source", "ours", "paper"}, rows))
	rows = nil
	for _, c := range t.Categories {
		rows = append(rows, table.Row{c.Source, c.Category, c.Train, c.Test, c.BoardTrain, c.BoardTest})
	}
	return append(out, grid("Categories", 3, table.Row{"source", "category", "train", "test", "leaderboard train", "leaderboard test"}, rows))
}

// spread renders a distribution as mean/p50/p95/max.
func spread(d *Dist) string {
	if d.N() == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f/%d/%d/%d", d.Mean(), d.Quantile(.5), d.Quantile(.95), d.Max())
}

func (t *Trajectories) tables() []string {
	outcomes := table.Row{"source", "attempts", "coverage"}
	for _, o := range schemas.Outcomes {
		outcomes = append(outcomes, o)
	}
	var byOutcome, rewards, sizes, actions, failures, passes []table.Row
	for _, s := range t.Sources {
		row := table.Row{s.Source, s.Attempts, percent(s.Coverage)}
		for _, o := range schemas.Outcomes {
			row = append(row, s.Outcomes[o])
		}
		byOutcome = append(byOutcome, row)
		rewards = append(rewards, table.Row{s.Source, s.Graded, fmt.Sprintf("%.4f", s.RewardMean), fmt.Sprintf("%.4f", s.RewardUpstreamMean), s.StrictOnly, s.UpstreamOnly})
		sizes = append(sizes, table.Row{s.Source, spread(s.Turns), spread(s.Executions), spread(s.PromptTokens), spread(s.CompletionTokens), spread(s.WallMS)})
		for _, name := range slices.Sorted(maps.Keys(s.Actions)) {
			actions = append(actions, table.Row{s.Source, name, s.Actions[name], percent(s.Shares[name])})
		}
		for _, name := range slices.Sorted(maps.Keys(s.ErrorTypes)) {
			failures = append(failures, table.Row{s.Source, name, s.ErrorTypes[name]})
		}
		for _, split := range slices.SortedFunc(maps.Keys(s.Pass), bySplit) {
			for _, p := range s.Pass[split] {
				passes = append(passes, table.Row{s.Source, split, p.K, p.Tasks, p.Excluded, fmt.Sprintf("%.4f", p.Strict), fmt.Sprintf("%.4f", p.Upstream)})
			}
		}
	}
	out := []string{
		grid("Outcomes; coverage is the share of attempts with a reward", 2, outcomes, byOutcome),
		grid("Rewards over graded attempts", 2, table.Row{"source", "graded", "strict", "upstream", "strict only", "upstream only"}, rewards),
		grid("Sizes of attempts: mean/p50/p95/max", 2, table.Row{"source", "turns", "executions", "prompt tokens", "completion tokens", "wall ms"}, sizes),
		grid("Actions", 3, table.Row{"source", "action", "steps", "share"}, actions),
	}
	if len(failures) > 0 {
		out = append(out, grid("Errors in steps", 3, table.Row{"source", "type", "steps"}, failures))
	}
	if len(passes) > 0 {
		out = append(out, grid("pass@k, unbiased; left out: fewer than k graded", 3, table.Row{"source", "split", "k", "tasks", "left out", "strict", "upstream"}, passes))
	}
	return append(out, t.verifierTables()...)
}

func setTables(sets []*TrainingSet) []string {
	var sizes, lengths []table.Row
	header := table.Row{"tier", "config", "split"}
	for _, limit := range lengthLimits {
		header = append(header, fmt.Sprintf("> %d", limit))
	}
	for _, s := range sets {
		sizes = append(sizes, table.Row{s.Tier, s.Config, s.Split, s.Rows, spread(s.Turns), spread(s.Tokens)})
		row := table.Row{s.Tier, s.Config, s.Split}
		for _, l := range s.Lengths {
			row = append(row, fmt.Sprintf("%d (%s)", l.Longer, percent(l.Share)))
		}
		lengths = append(lengths, row)
	}
	return []string{
		grid("Training sets; turns and tokens: mean/p50/p95/max", 4, table.Row{"tier", "config", "split", "rows", "turns", "tokens"}, sizes),
		grid("Rows longer than a trainer's maximum length, in tokens", 4, header, lengths),
	}
}
