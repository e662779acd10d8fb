// Package governance holds the rules about whose data may be processed, and where
// it may go: records of data use agreements (dua.yaml), classes of model endpoints,
// and the access log of a run folder. It is told which sources there are and what
// they need; it knows none by name.
//
// Faults of a file are pipeline.InputError with its line; what a rule forbids is
// pipeline.PolicyError.
package governance

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/pipeline/strict"
)

// File is the name under which records are looked for.
const File = "dua.yaml"

// NoAgreement is the agreement of synthetic data.
const NoAgreement = "none"

// Need says under which agreement the data of a source stands.
type Need struct {
	Source    string
	Tier      string // credentialed, separate
	Agreement string
	Version   string // empty where it has none
	URL       string // its text
	Apply     string // where to apply for access
	Steps     []string
}

// Title is the agreement with its version.
func (n Need) Title() string { return title(n.Agreement, n.Version) }

func title(agreement, version string) string { return strings.TrimSpace(agreement + " " + version) }

// Record is one record of dua.yaml: who has signed what for which sources.
type Record struct {
	Sources   []string
	Agreement string // NoAgreement for synthetic data
	Version   string
	Holder    string
	Signed    string // 2026-01-31
	Expires   string // empty where it does not
	Training  string
	Locations []string // folders, absolute
	Note      string

	File string // as the user can find it
	Line int64
}

// Synthetic says that the record states that its data are synthetic. It permits
// nothing by itself: whoever accepts it has to see that they are.
func (r Record) Synthetic() bool { return r.Agreement == NoAgreement }

// At is where the record stands.
func (r Record) At() string { return fmt.Sprintf("%s:%d", r.File, r.Line) }

// Holds says whether a file or folder lies where the record says that the data does,
// by its name or by where links lead.
func (r Record) Holds(path string) bool {
	return slices.ContainsFunc(r.Locations, func(dir string) bool {
		return within(dir, path) || within(resolved(dir), resolved(path))
	})
}

func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

func resolved(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

// Records are those of one file.
type Records struct {
	File string
	List []Record
}

// ReadRecords reads a dua.yaml strictly. needs are those of every source that needs
// a record; sources are all that there are, for telling a source that needs none
// from one that is unknown.
func ReadRecords(file string, needs []Need, sources []string, now time.Time) (Records, error) {
	file, err := filepath.Abs(file)
	if err != nil {
		return Records{}, fmt.Errorf("locate %s: %w", file, err)
	}
	d, root, err := strict.Read(file)
	if err != nil {
		return Records{}, err
	}
	return document{d}.records(root, needs, sources, now)
}

// document reads records of agreements.
type document struct{ strict.Document }

func (d document) records(root *yaml.Node, needs []Need, sources []string, now time.Time) (Records, error) {
	out := Records{File: d.File}
	top, err := d.Fields(root, "the file", "records")
	if err != nil {
		return out, err
	}
	list := top["records"]
	if list == nil || list.Kind != yaml.SequenceNode {
		return out, d.Fault(root, "medgym-data sources --dua-template prints one to fill in", "there is no list records")
	}
	for _, n := range list.Content {
		record, err := d.record(n, needs, sources, now)
		if err != nil {
			return out, err
		}
		for _, source := range record.Sources {
			if before := out.find(source); before != nil {
				return out, d.Fault(n, "keep one", "source %s has a record already, at line %d", source, before.Line)
			}
		}
		out.List = append(out.List, record)
	}
	return out, nil
}

// The keys of a record, those that it must have first.
var (
	recordKeys    = []string{"sources", "agreement", "version", "holder", "signed", "training", "location", "expires", "note"}
	requiredKeys  = []string{"holder", "signed", "training", "location"}
	syntheticKeys = []string{"sources", "agreement", "note"}
)

func (d document) record(n *yaml.Node, needs []Need, sources []string, now time.Time) (Record, error) {
	r := Record{File: d.File, Line: int64(n.Line)}
	fields, err := d.Fields(n, "a record", recordKeys...)
	if err != nil {
		return r, err
	}
	for _, key := range recordKeys {
		if fields[key] == nil {
			continue
		}
		if err := d.field(&r, key, fields[key]); err != nil {
			return r, err
		}
	}
	required := slices.Concat([]string{"sources", "agreement"}, requiredKeys)
	if r.Synthetic() {
		required = syntheticKeys
		for key := range fields {
			if !slices.Contains(syntheticKeys, key) {
				return r, d.Fault(fields[key], "leave it out, or name the agreement", "a record without an agreement has no %s", key)
			}
		}
	}
	for _, key := range required {
		if fields[key] == nil {
			return r, d.Fault(n, "add it", "the record has no %s", key)
		}
	}
	if r.Signed > today(now) {
		return r, d.Fault(fields["signed"], "", "signed is %s, in the future", r.Signed)
	}
	if r.Expires != "" && r.Expires < r.Signed {
		return r, d.Fault(fields["expires"], "", "expires is %s, before it was signed", r.Expires)
	}
	return r, d.fits(r, fields, needs, sources)
}

// field reads one value.
func (d document) field(r *Record, key string, n *yaml.Node) (err error) {
	switch key {
	case "sources":
		r.Sources, err = d.Texts(n, key)
	case "agreement":
		r.Agreement, err = d.Text(n, key)
	case "version":
		r.Version, err = d.Text(n, key)
	case "holder":
		r.Holder, err = d.Text(n, key)
	case "signed":
		r.Signed, err = d.Date(n, key)
	case "expires":
		r.Expires, err = d.Date(n, key)
	case "training":
		r.Training, err = d.Text(n, key)
	case "note":
		r.Note, err = d.Text(n, key)
	case "location":
		r.Locations, err = d.Texts(n, key)
		for i, dir := range r.Locations {
			if !filepath.IsAbs(dir) { // relative to the file, so that both can move
				r.Locations[i] = filepath.Join(filepath.Dir(d.File), dir)
			}
		}
	}
	return err
}

// fits holds a record against what its sources need.
func (d document) fits(r Record, fields map[string]*yaml.Node, needs []Need, sources []string) error {
	for _, source := range r.Sources {
		i := slices.IndexFunc(needs, func(n Need) bool { return n.Source == source })
		switch {
		case i < 0 && slices.Contains(sources, source):
			return d.Fault(fields["sources"], "leave it out", "source %s is open data and needs no record", source)
		case i < 0:
			return d.Fault(fields["sources"], "", "unknown source %q; known: %s", source, strings.Join(sources, ", "))
		case r.Synthetic():
			continue
		}
		need := needs[i]
		if !strings.EqualFold(strings.Join(strings.Fields(r.Agreement), " "), need.Agreement) {
			return d.Fault(fields["agreement"], "write it so, or "+NoAgreement+" for synthetic data", "source %s needs the agreement %q", source, need.Agreement)
		}
		at := fields["version"]
		if at == nil {
			at = fields["agreement"]
		}
		switch {
		case need.Version == "" && r.Version != "":
			return d.Fault(at, "leave it out", "the agreement that source %s needs has no version", source)
		case need.Version != r.Version:
			return d.Fault(at, "", "source %s needs version %q of the agreement", source, need.Version)
		}
	}
	return nil
}

func (r Records) find(source string) *Record {
	for i := range r.List {
		if slices.Contains(r.List[i].Sources, source) {
			return &r.List[i]
		}
	}
	return nil
}

// Permit gives the record that lets a source be processed, or refuses: there is
// none, or it has expired.
func (r Records) Permit(need Need, now time.Time) (Record, error) {
	record := r.find(need.Source)
	if record == nil {
		where := "none was found"
		if r.File != "" {
			where = r.File + " has none"
		}
		return Record{}, pipeline.Refused(
			fmt.Sprintf("source %s is %s data under the %s, which needs a DUA record, and %s", need.Source, need.Tier, need.Title(), where),
			fmt.Sprintf("medgym-data sources --dua-template prints a %s to fill in; put it beside the source folders or name it with --dua (apply for access: %s), or choose other sources with --source", File, need.Apply))
	}
	if err := record.Current(need.Source, now); err != nil {
		return Record{}, err
	}
	return *record, nil
}

// Current refuses a record that has expired.
func (r Record) Current(source string, now time.Time) error {
	if r.Expires != "" && r.Expires < today(now) {
		return pipeline.Refused(fmt.Sprintf("the DUA record for source %s, %s, expired on %s", source, r.At(), r.Expires),
			"renew the agreement and its record, or choose other sources with --source")
	}
	return nil
}

// InUse is a record as a manifest names it: that under which a source was read.
type InUse struct {
	Source    string   `json:"source"`
	Tier      string   `json:"access_tier"`
	Agreement string   `json:"agreement"` // with its version
	Holder    string   `json:"holder,omitempty"`
	Signed    string   `json:"signed,omitempty"`
	Expires   string   `json:"expires,omitempty"`
	Training  string   `json:"training,omitempty"`
	Locations []string `json:"location,omitempty"`
	Note      string   `json:"note,omitempty"`
	Record    string   `json:"record"` // file and line
}

// Use names a record for one source.
func (r Record) Use(need Need) InUse {
	return InUse{Source: need.Source, Tier: need.Tier, Agreement: title(r.Agreement, r.Version), Holder: r.Holder, Signed: r.Signed,
		Expires: r.Expires, Training: r.Training, Locations: r.Locations, Note: r.Note, Record: r.At()}
}

// Current refuses a record that has expired since.
func (u InUse) Current(now time.Time) error {
	if u.Expires == "" || u.Expires >= today(now) {
		return nil
	}
	return pipeline.Refused(fmt.Sprintf("the DUA record for source %s, %s, expired on %s", u.Source, u.Record, u.Expires),
		"renew the agreement and its record, and run medgym-data prepare with it, or choose other sources with --source")
}

// Template is a dua.yaml to fill in, with one record for each agreement.
func Template(needs []Need) string {
	var b strings.Builder
	b.WriteString(`# Who has signed which data use agreement, for which sources, and where their data lies.
# Fill in what stands in <…>; delete the records of sources that you do not use. A source
# may be in one record only: where the data sets of an agreement were signed on different
# days, write one record for each.
records:
`)
	var order []string
	groups := map[string][]Need{}
	for _, n := range needs {
		if groups[n.Title()] == nil {
			order = append(order, n.Title())
		}
		groups[n.Title()] = append(groups[n.Title()], n)
	}
	for _, name := range order {
		group := groups[name]
		ids := make([]string, len(group))
		for i, n := range group {
			ids[i] = n.Source
			fmt.Fprintf(&b, "  # %s: %s\n", n.Source, n.Apply)
		}
		fmt.Fprintf(&b, "  - sources: [%s]\n    agreement: %s\n", strings.Join(ids, ", "), group[0].Agreement)
		if group[0].Version != "" {
			fmt.Fprintf(&b, "    version: %s\n", group[0].Version)
		}
		b.WriteString(`    holder: <your name, as it was signed>
    signed: <2026-01-31>
    # expires: <2027-01-31>
    training: <certificate and its date>
    location: <folder of the data; a list where there are several>
`)
	}
	return b.String()
}

func today(now time.Time) string { return now.Format(time.DateOnly) }
