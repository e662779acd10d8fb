package ehrdb

import (
	"regexp"
	"strings"
)

// vitalRanges are what the benchmark's questions call normal: the bounds that stand
// in its SQL as names, like heart_rate_lower.
var vitalRanges = map[string]string{
	"temperature_lower": "35.5", "temperature_upper": "38.1",
	"sao2_lower": "95.0", "sao2_upper": "100.0",
	"heart_rate_lower": "60.0", "heart_rate_upper": "100.0",
	"respiration_lower": "12.0", "respiration_upper": "18.0",
	"systolic_bp_lower": "90.0", "systolic_bp_upper": "120.0",
	"diastolic_bp_lower": "60.0", "diastolic_bp_upper": "90.0",
	"mean_bp_lower": "60.0", "mean_bp_upper": "110.0",
}

var token = regexp.MustCompile(`(?s)'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/|[\pL_][\pL\pN_]*|[<>]\s+=|\s+|.`)

var strftime = regexp.MustCompile(`(?i)strftime\s*\(\s*$`)

// Bind makes a gold query of the benchmark SQL that SQLite runs on a database of
// ours: current_time and 'now' become the clock's time, the bounds of vital signs
// their numbers, the strftime formats that lower-casing broke (%y, %j) what they
// were (%Y, %J), "< =" one operator; other text is lower-cased like the database's.
// Only names and whole literals are touched, never parts of a literal.
func (c Clock) Bind(query string) string {
	now := "'" + c.now().Format(timeForm) + "'"
	var b strings.Builder
	for _, part := range token.FindAllString(query, -1) {
		switch {
		case strings.EqualFold(part, "current_time"), strings.EqualFold(part, "'now'"):
			part = now
		case part[0] == '\'' && len(part) > 1:
			if strftime.MatchString(b.String()) {
				part = strings.NewReplacer("%y", "%Y", "%j", "%J").Replace(part)
			} else {
				part = strings.ToLower(part)
			}
		case len(part) > 2 && (part[0] == '<' || part[0] == '>'):
			part = part[:1] + "="
		default:
			if bound, ok := vitalRanges[strings.ToLower(part)]; ok {
				part = bound
			}
		}
		b.WriteString(part)
	}
	return b.String()
}

// single says that a query is one SELECT or WITH, so neither ATTACH nor PRAGMA.
func single(query string) bool {
	var first string
	ended := false
	for _, part := range token.FindAllString(query, -1) {
		switch {
		case strings.TrimSpace(part) == "", strings.HasPrefix(part, "--"), strings.HasPrefix(part, "/*"):
		case ended:
			return false
		case part == ";":
			ended = true
		case first == "":
			first = strings.ToLower(part)
		}
	}
	return first == "select" || first == "with" || first == "values"
}
