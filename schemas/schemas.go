// Package schemas declares every table that medgym-data writes: the Go row
// types, their Arrow schemas, and the checks that a row must pass before it
// reaches a file.
//
// The row types are the contract. Every column is nullable in the file. A
// number or a truth value for which zero means something is therefore a
// pointer: nil is null, and a zero stays a zero. An empty string is written as
// null and read back as an empty string.
package schemas

// Version is written to every row as schema_version. It changes whenever a
// column is added, removed, renamed or given another meaning.
const Version int32 = 3

// Message is one chat turn of the MSG type, list<struct<role, content>>, that
// every trainer reads.
type Message struct {
	Role    string `parquet:"role,optional" json:"role"`
	Content string `parquet:"content,optional" json:"content"`
}

// Roles of a Message. Observations are user turns; a tool turn occurs only in a
// ChatMessage, where a policy used native tool calls.
const (
	RoleSystem    = "system"
	RoleUser      = "user"
	RoleAssistant = "assistant"
	RoleTool      = "tool"
)

// Tier says who may see a row and everything derived from it.
type Tier = string

// The access tiers of sources.
const (
	TierOpen         Tier = "open"
	TierCredentialed Tier = "credentialed" // PhysioNet Credentialed Health Data
	TierSeparate     Tier = "separate"     // an approval of its own, e.g. EHRSHOT
)

// The two splits.
const (
	SplitTrain = "train"
	SplitTest  = "test"
)

// Ptr returns a pointer to v, for the nullable columns.
func Ptr[T any](v T) *T { return &v }

// Value returns what p points at, or the zero value for null.
func Value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
