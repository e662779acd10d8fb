// Package fhir serves a subset of FHIR R4 (hl7.org/fhir/R4) in-process: reads and
// searches over a Bulk Data export (NDJSON, one resource a line), and writes that
// are recorded and never applied.
//
// A Source holds the resources: Store, loaded from files and read-only from then
// on, or Remote, a real server that is only ever read. A Session stands before a
// Source for one attempt of one agent and keeps what that agent posted.
//
// Served below /fhir/: metadata, read by id, search (GET, and POST to _search) of
// Patient, Observation, MedicationRequest, Procedure, Condition and
// ServiceRequest, and create of Observation, MedicationRequest and
// ServiceRequest. Everything else is answered with an OperationOutcome.
//
// # Search
//
// The parameters of each type are those that MedAgentBench's function list
// describes and the obvious ones beside them; the CapabilityStatement names them
// all. Values follow the specification: strings match by prefix, ignoring case
// and accents (:exact and :contains are known); tokens are code, system|code,
// |code or system|; references are S123, Patient/S123 or an absolute URL; dates
// have the precision in which they are written and the prefixes eq, ne, lt, le,
// gt, ge, sa and eb. A comma means or, a repeated parameter means and.
//
// Where servers differ, this one does as follows. An unknown parameter is an
// error (400), as HAPI does, unless the client sends Prefer: handling=lenient. In
// name and address each word must match some part, so that name=Peter Stafford
// finds him. A blank inside a date is read as the plus sign that a client forgot
// to escape, and a time without zone as UTC. From the function list come: name is
// ignored beside given or family, legal-sex takes precedence over gender,
// MedicationRequest's date is the period that a dose is timed for, and Procedure
// finds completed ones unless status asks for others. Pages have 20 entries
// unless _count says otherwise (10,000 at most), in the order of the files.
package fhir

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// The resource types that are served.
const (
	Patient           = "Patient"
	Observation       = "Observation"
	MedicationRequest = "MedicationRequest"
	Procedure         = "Procedure"
	Condition         = "Condition"
	ServiceRequest    = "ServiceRequest"
)

// Types lists the resource types that are served.
func Types() []string {
	return []string{Patient, Observation, MedicationRequest, Procedure, Condition, ServiceRequest}
}

// Writable reports whether resources of a type may be posted.
func Writable(kind string) bool {
	return slices.Contains([]string{Observation, MedicationRequest, ServiceRequest}, kind)
}

// The service as a sandbox sees it.
const (
	Port     = 8080
	BasePath = "/fhir/"
	BaseURL  = "http://localhost:8080/fhir/"
)

// Limits of what is accepted from a client.
const (
	maxURL     = 8 << 10
	maxBody    = 1 << 20
	maxParams  = 64
	maxValues  = 100 // alternatives of one parameter
	maxCount   = 10_000
	pageSize   = 20
	maxRecords = 1000
	maxRecord  = 16 << 20 // bytes of all that a session has not drained yet
)

// Source answers reads and searches. It is safe for concurrent use.
type Source interface {
	// Has reports whether there is any resource of the type. A search that finds
	// nothing means something only where there is.
	Has(ctx context.Context, kind string) (bool, error)
	// Search returns every match, in the server's order, over all pages.
	Search(ctx context.Context, kind string, params url.Values) ([]jsontext.Value, error)
	// Handler serves GET below BasePath.
	Handler() http.Handler
}

var (
	_ Source = (*Store)(nil)
	_ Source = (*Remote)(nil)
)
