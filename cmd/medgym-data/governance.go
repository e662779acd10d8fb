package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/pipeline/governance"
	"github.com/medgym-data/medgym-data/stages/ingest"
	"github.com/medgym-data/medgym-data/stages/rollout"
)

// accessLog is what the run folder's access log notes of a command.
func accessLog(c *cli.Context) governance.Log {
	return governance.Log{Program: c.App.Version, Command: strings.TrimPrefix(c.Command.HelpName, c.App.Name+" "), Ingest: ingest.Name, Key: ingest.RecordsKey}
}

// asUsage makes a usageError of an error, unless it says that a file is at fault or
// that a rule forbids it.
func asUsage(err error) error {
	var bad *pipeline.InputError
	var refused *pipeline.PolicyError
	if errors.As(err, &bad) || errors.As(err, &refused) {
		return err
	}
	return usageError{err}
}

// endpointFlags name a model endpoint and what was attested about it.
func endpointFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "endpoint", Usage: "model API, as http://127.0.0.1:8000/v1 or unix:/run/model.sock; rows that are not open go to a local one only"},
		&cli.PathFlag{Name: "attestation", Usage: "YAML file that states what was verified about an endpoint that is not local, see docs/governance.md"},
	}
}

// endpointOf classifies the endpoint that the flags name.
func endpointOf(c *cli.Context) (governance.Endpoint, error) {
	if err := need(c, "endpoint"); err != nil {
		return governance.Endpoint{}, err
	}
	if _, err := governance.ParseEndpoint(c.String("endpoint")); err != nil {
		return governance.Endpoint{}, usageErrorf(c, "--endpoint cannot be used: %w", err)
	}
	var attested *governance.Attestation
	if file := c.Path("attestation"); file != "" {
		var err error
		if attested, err = governance.ReadAttestation(file, time.Now()); err != nil {
			return governance.Endpoint{}, err
		}
	}
	return governance.Classify(c.Context, c.String("endpoint"), attested, nil)
}

// permitEndpoints refuses an endpoint that must not have the closed rows of a run,
// before anything else is said about the run. The stage asks again, task by task.
func permitEndpoints(run *pipeline.Run, endpoints []governance.Endpoint, chosen []string) error {
	if len(endpoints) == 0 {
		return nil
	}
	closed, err := closedSources(run, chosen)
	if err != nil {
		return err
	}
	for _, e := range endpoints {
		if err := e.Check(closed); err != nil {
			return err
		}
	}
	return nil
}

// permitPackages refuses an index of packages that programs over the closed rows of a
// run must not ask. The stage asks again.
func permitPackages(run *pipeline.Run, opts rollout.Options) error {
	if opts.Packages == nil {
		return nil
	}
	closed, err := closedSources(run, opts.Sources)
	if err != nil {
		return err
	}
	return opts.Packages.Permit(closed)
}

// closedSources are those of a run, of the chosen ones, that are not open.
func closedSources(run *pipeline.Run, chosen []string) (closed []string, err error) {
	var used []governance.InUse
	if _, err := run.Summary(ingest.Name, ingest.RecordsKey, &used); err != nil {
		return nil, err
	}
	for _, u := range used {
		if len(chosen) == 0 || slices.Contains(chosen, u.Source) {
			closed = append(closed, u.Source)
		}
	}
	return closed, nil
}

// permission is what doctor says about one source.
type permission struct {
	Source    string `json:"source"`
	Permitted bool   `json:"permitted"`
	Is        string `json:"is"`
}

// doctorRecords says what the DUA records permit. A faulty file is an error.
func doctorRecords(c *cli.Context, registry datasets.Registry) ([]permission, error) {
	file := c.Path("dua")
	if file == "" {
		if file = ingest.FindRecords(c.Path("raw")); file == "" {
			return nil, pipeline.BadInput(c.Path("raw"), 0, "holds no "+governance.File+", and neither does the configuration folder", "medgym-data sources --dua-template prints one to fill in")
		}
	}
	needs, now := ingest.Needs(registry), time.Now()
	records, err := governance.ReadRecords(file, needs, registry.IDs(), now)
	if err != nil {
		return nil, err
	}
	found := []permission{}
	for _, n := range needs {
		record, err := records.Permit(n, now)
		switch {
		case err != nil:
			found = append(found, permission{n.Source, false, err.Error()})
		case record.Synthetic():
			found = append(found, permission{n.Source, true, "synthetic data alone, no agreement: held against the list of synth when they are read (" + record.At() + ")"})
		default:
			found = append(found, permission{n.Source, true, fmt.Sprintf("under the %s, signed by %s on %s%s, data in %s (%s)", n.Title(), record.Holder, record.Signed,
				expiry(record.Expires), strings.Join(record.Locations, " and "), record.At())})
		}
	}
	return found, nil
}

func expiry(date string) string {
	if date == "" {
		return ""
	}
	return ", until " + date
}

// doctorEndpoint says what an endpoint may serve.
func doctorEndpoint(c *cli.Context, registry datasets.Registry) ([]permission, error) {
	endpoint, err := endpointOf(c)
	if err != nil {
		return nil, err
	}
	closed := map[string]bool{}
	for _, n := range ingest.Needs(registry) {
		closed[n.Source] = true
	}
	found := []permission{}
	for _, id := range registry.IDs() {
		is := fmt.Sprintf("%s is %s", endpoint.Name(), endpoint.Class)
		if closed[id] {
			if err := endpoint.Check([]string{id}); err != nil {
				found = append(found, permission{id, false, err.Error()})
				continue
			}
		}
		if a := endpoint.Attestation; a != nil {
			is += fmt.Sprintf(": verified by %s on %s (%s)", a.VerifiedBy, a.Date, a.File)
		}
		found = append(found, permission{id, true, is})
	}
	return found, nil
}

func printPermissions(c *cli.Context, registry datasets.Registry, examine func(*cli.Context, datasets.Registry) ([]permission, error)) error {
	found, err := examine(c, registry)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return json.NewEncoder(c.App.Writer).Encode(found)
	}
	for _, p := range found {
		mark := "permitted"
		if !p.Permitted {
			mark = "refused  "
		}
		if _, err := fmt.Fprintf(c.App.Writer, "%s  %-13s  %s\n", mark, p.Source, p.Is); err != nil {
			return err
		}
	}
	return nil
}

// agreement is what the catalogue says about a source that is not open.
type agreement struct {
	Name    string   `json:"name"`
	Version string   `json:"version"`
	URL     string   `json:"url"`
	Apply   string   `json:"apply"`
	Needs   []string `json:"needs"`
}

func agreementOf(a datasets.Agreement) *agreement {
	if a.None() {
		return nil
	}
	return &agreement{a.Name, a.Version, a.URL, a.Apply, a.Needs}
}

// explainAgreements says what stands between a user and the sources that are not
// open.
func explainAgreements(registry datasets.Registry) string {
	var b strings.Builder
	var order []string
	groups := map[string][]governance.Need{}
	for _, n := range ingest.Needs(registry) {
		if groups[n.Title()] == nil {
			order = append(order, n.Title())
		}
		groups[n.Title()] = append(groups[n.Title()], n)
	}
	for _, name := range order {
		fmt.Fprintf(&b, "\n%s\n", name)
		for _, step := range groups[name][0].Steps {
			fmt.Fprintf(&b, "  needed: %s\n", step)
		}
		for _, n := range groups[name] {
			fmt.Fprintf(&b, "  %s (%s): apply at %s, text at %s\n", n.Source, n.Tier, n.Apply, n.URL)
		}
	}
	if len(order) > 0 {
		b.WriteString("\nThese sources are prepared only with a record of the agreement: medgym-data sources --dua-template prints a dua.yaml to\nfill in. Their rows go to local or attested model endpoints only; see docs/governance.md.\n")
	}
	return b.String()
}

// explainRecords lists the records under which a run folder was prepared.
func explainRecords(dir string) (string, error) {
	var used []governance.InUse
	if _, err := pipeline.ReadSummary(dir, ingest.Name, ingest.RecordsKey, &used); err != nil {
		return "", err
	}
	var b strings.Builder
	for i, u := range used {
		if i == 0 {
			b.WriteString("\nDUA records of this run:\n")
		}
		if u.Agreement == governance.NoAgreement {
			fmt.Fprintf(&b, "  %s: no agreement (%s), %s\n", u.Source, u.Note, u.Record)
			continue
		}
		fmt.Fprintf(&b, "  %s: %s, signed by %s on %s%s, %s\n", u.Source, u.Agreement, u.Holder, u.Signed, expiry(u.Expires), u.Record)
	}
	return b.String(), nil
}
