package governance

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/medgym-data/medgym-data/pipeline/strict"
)

// Attestation is a user's statement, in a file of its own, about an endpoint that is
// not local: that it was verified to keep no data, not to train on them, and not to
// show them to a person.
type Attestation struct {
	File       string
	Endpoint   Endpoint // not classified
	VerifiedBy string
	Date       string
	Expires    string // empty where it does not
	Note       string
}

var attestationKeys = []string{"endpoint", "zero_retention", "no_training_use", "no_human_review", "verified_by", "date"}

// ReadAttestation reads an attestation strictly. It is one only where all that it
// has to state is stated.
func ReadAttestation(file string, now time.Time) (*Attestation, error) {
	file, err := filepath.Abs(file)
	if err != nil {
		return nil, fmt.Errorf("locate %s: %w", file, err)
	}
	d, root, err := strict.Read(file)
	if err != nil {
		return nil, err
	}
	fields, err := d.Fields(root, "an attestation", slices.Concat(attestationKeys, []string{"expires", "note"})...)
	if err != nil {
		return nil, err
	}
	a := &Attestation{File: file}
	for _, key := range attestationKeys {
		if fields[key] == nil {
			return nil, d.Fault(root, "add it", "the attestation has no %s", key)
		}
	}
	endpoint, err := d.Text(fields["endpoint"], "endpoint")
	if err != nil {
		return nil, err
	}
	if a.Endpoint, err = ParseEndpoint(endpoint); err != nil {
		return nil, d.Fault(fields["endpoint"], "", "endpoint cannot be used: %v", err)
	}
	if a.Endpoint.URL.Scheme != "https" {
		return nil, d.Fault(fields["endpoint"], "use https", "endpoint is not encrypted, and its data would pass through the open network")
	}
	for _, key := range attestationKeys[1:4] {
		ok, err := d.Flag(fields[key], key)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, d.Fault(fields[key], "use another endpoint", "%s is false: the endpoint may not have these data", key)
		}
	}
	if a.VerifiedBy, err = d.Text(fields["verified_by"], "verified_by"); err != nil {
		return nil, err
	}
	if a.Date, err = d.Date(fields["date"], "date"); err != nil {
		return nil, err
	}
	if a.Date > today(now) {
		return nil, d.Fault(fields["date"], "", "date is %s, in the future", a.Date)
	}
	if n := fields["expires"]; n != nil {
		if a.Expires, err = d.Date(n, "expires"); err != nil {
			return nil, err
		}
		if a.Expires < today(now) {
			return nil, d.Fault(n, "verify the endpoint again", "the attestation expired on %s", a.Expires)
		}
	}
	if n := fields["note"]; n != nil {
		if a.Note, err = d.Text(n, "note"); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Covers says whether the attestation is about an endpoint: the same scheme, host
// and port, and the same path.
func (a Attestation) Covers(e Endpoint) bool {
	mine, theirs := a.Endpoint, e
	return mine.Socket == theirs.Socket && mine.URL.Scheme == theirs.URL.Scheme && strings.EqualFold(mine.URL.Host, theirs.URL.Host) && mine.URL.Path == theirs.URL.Path
}

// AttestationTemplate is an attestation to fill in.
const AttestationTemplate = `# What was verified about a model endpoint that is not local, before data under a data
# use agreement are sent there. All three have to be true.
endpoint: <https://host/v1>
zero_retention: false
no_training_use: false
no_human_review: false
verified_by: <name>
date: <2026-01-31>
# expires: <2027-01-31>
# note: <contract or ticket>
`
