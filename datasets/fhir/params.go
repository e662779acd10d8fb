package fhir

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Fault is what a request is refused with: the body is an OperationOutcome.
type Fault struct {
	Status int    // HTTP
	Code   string // issue type: invalid, not-found, not-supported, too-long, ...
	Text   string
}

func (f *Fault) Error() string { return f.Text }

func invalid(format string, args ...any) *Fault {
	return &Fault{http.StatusBadRequest, "invalid", fmt.Sprintf(format, args...)}
}

// paramType says how values of a parameter are read and compared.
type paramType string

// The types of parameters, by the specification's names.
const (
	stringType    paramType = "string"
	tokenType     paramType = "token"
	dateType      paramType = "date"
	referenceType paramType = "reference"
)

// definition is a search parameter: what it is called, and where its values
// stand in an entry. Just one of the functions is set.
type definition struct {
	name    string
	kind    paramType
	byWord  bool // string: each word may match another value
	strings func(*entry) []word
	tokens  func(*entry) []Token
	dates   func(*entry) []Date
}

func stringParam(name string, f func(*entry) []word) definition {
	return definition{name: name, kind: stringType, strings: f}
}

func wordsParam(name string, f func(*entry) []word) definition {
	return definition{name: name, kind: stringType, byWord: true, strings: f}
}

func tokenParam(name string, f func(*entry) []Token) definition {
	return definition{name: name, kind: tokenType, tokens: f}
}

func dateParam(name string, f func(*entry) []Date) definition {
	return definition{name: name, kind: dateType, dates: f}
}

// Names of parameters that the code looks at.
const (
	paramID         = "_id"
	paramIdentifier = "identifier"
	paramPatient    = "patient"
	paramSubject    = "subject"
	paramCode       = "code"
	paramStatus     = "status"
)

func commonParams() []definition {
	return []definition{
		tokenParam(paramID, func(e *entry) []Token { return plain(e.id) }),
		dateParam("_lastUpdated", func(e *entry) []Date { return e.updated }),
		tokenParam(paramIdentifier, func(e *entry) []Token { return e.identifiers }),
	}
}

func clinicalParams(more ...definition) []definition {
	ofPatient := func(name string) definition {
		return definition{name: name, kind: referenceType, tokens: func(e *entry) []Token { return plain(e.patient) }}
	}
	return slices.Concat(commonParams(), []definition{
		ofPatient(paramPatient), ofPatient(paramSubject),
		tokenParam(paramCode, func(e *entry) []Token { return e.codes }),
		tokenParam("category", func(e *entry) []Token { return e.categories }),
	}, more)
}

var (
	statusParam   = tokenParam(paramStatus, func(e *entry) []Token { return e.status })
	intentParam   = tokenParam("intent", func(e *entry) []Token { return e.intent })
	priorityParam = tokenParam("priority", func(e *entry) []Token { return e.priority })
)

func dateOf(name string) definition {
	return dateParam(name, func(e *entry) []Date { return e.date })
}

func authoredOf(name string) definition {
	return dateParam(name, func(e *entry) []Date { return e.authored })
}

// searchable is the table of parameters by type. It is never written to.
var searchable = map[string][]definition{
	Patient: slices.Concat(commonParams(), []definition{
		wordsParam("name", func(e *entry) []word { return e.person.name }),
		wordsParam("given", func(e *entry) []word { return e.person.given }),
		wordsParam("family", func(e *entry) []word { return e.person.family }),
		dateParam("birthdate", func(e *entry) []Date { return e.person.birth }),
		tokenParam("gender", func(e *entry) []Token { return e.person.gender }),
		tokenParam("legal-sex", func(e *entry) []Token { return e.person.gender }),
		tokenParam("active", func(e *entry) []Token { return e.person.active }),
		wordsParam("address", func(e *entry) []word { return e.person.street }),
		stringParam("address-city", func(e *entry) []word { return e.person.city }),
		stringParam("address-state", func(e *entry) []word { return e.person.state }),
		stringParam("address-postalcode", func(e *entry) []word { return e.person.postal }),
		stringParam("address-country", func(e *entry) []word { return e.person.country }),
		tokenParam("telecom", func(e *entry) []Token { return e.person.telecom }),
		tokenParam("phone", func(e *entry) []Token { return e.person.phone }),
		tokenParam("email", func(e *entry) []Token { return e.person.email }),
	}),
	Observation:       clinicalParams(dateOf("date"), statusParam),
	MedicationRequest: clinicalParams(dateOf("date"), authoredOf("authoredon"), statusParam, intentParam, priorityParam),
	Procedure:         clinicalParams(dateOf("date"), statusParam),
	Condition: clinicalParams(dateOf("onset-date"), authoredOf("recorded-date"),
		tokenParam("clinical-status", func(e *entry) []Token { return e.status })),
	ServiceRequest: clinicalParams(dateOf("occurrence"), authoredOf("authored"), statusParam, intentParam, priorityParam),
}

func define(kind, name string) (definition, bool) {
	for _, d := range searchable[kind] {
		if d.name == name {
			return d, true
		}
	}
	return definition{}, false
}

// filter is one parameter of a search: an entry passes when any value matches.
type filter struct {
	definition
	modifier string // exact, contains, not, text, missing, or empty
	texts    []string
	words    [][]string // of texts
	tokens   []tokenValue
	dates    []dateValue
	missing  bool
}

// tokenValue is a token as a search asks for it.
type tokenValue struct {
	system, code string
	anySystem    bool // code alone
	anyCode      bool // system|
}

type sortKey struct {
	definition
	descending bool
}

// query is a search, read and checked.
type query struct {
	kind      string
	filters   []filter
	sort      []sortKey
	count     int
	offset    int
	countOnly bool // _summary=count, or _count=0
}

// parseQuery reads the parameters of a search. lenient leaves out parameters
// that are not known, instead of refusing them.
func parseQuery(kind string, params url.Values, lenient bool) (query, *Fault) {
	q := query{kind: kind, count: pageSize}
	n := 0
	for _, key := range sortedKeys(params) {
		values := params[key]
		if n += len(values); n > maxParams {
			return q, invalid("more than %d parameters", maxParams)
		}
		name, modifier, _ := strings.Cut(key, ":")
		for _, value := range values {
			if fault := q.add(name, modifier, value, lenient); fault != nil {
				return q, fault
			}
		}
	}
	q.precedence()
	return q, nil
}

// sortedKeys makes the first fault reported the same in every run.
func sortedKeys(params url.Values) []string {
	keys := make([]string, 0, len(params))
	for key := range params {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func (q *query) add(name, modifier, value string, lenient bool) *Fault {
	if fault, known := q.control(name, value); known {
		return fault
	}
	if value == "" { // an empty parameter asks for nothing
		return nil
	}
	def, ok := define(q.kind, name)
	if !ok {
		if lenient {
			return nil
		}
		return invalid("unknown search parameter %q for %s; known: %s", printable(name), q.kind, strings.Join(paramNames(q.kind), ", "))
	}
	f, fault := newFilter(def, modifier, value)
	if fault != nil {
		return fault
	}
	if modifier == "missing" || len(f.texts)+len(f.tokens)+len(f.dates) > 0 {
		q.filters = append(q.filters, f)
	}
	return nil
}

// control reads the parameters that shape the result. known says that name is one.
func (q *query) control(name, value string) (fault *Fault, known bool) {
	number := func(to *int, limit int) *Fault {
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return invalid("%s: not a whole number from 0", name)
		}
		*to = min(n, limit)
		return nil
	}
	switch name {
	case "_count":
		fault = number(&q.count, maxCount)
		q.countOnly = q.countOnly || fault == nil && q.count == 0
	case "_offset":
		fault = number(&q.offset, 1<<30)
	case "_format":
		fault = checkFormat(value)
	case "_summary":
		switch value {
		case "count":
			q.countOnly = true
		case "false":
		default:
			fault = invalid("_summary: only count and false are served")
		}
	case "_total":
		if !slices.Contains([]string{"none", "estimate", "accurate"}, value) {
			fault = invalid("_total: not one of none, estimate, accurate")
		}
	case "_sort":
		fault = q.sortBy(value)
	case "_pretty":
	case "_include", "_revinclude", "_elements", "_contained", "_has", "_filter":
		fault = &Fault{http.StatusBadRequest, "not-supported", name + " is not served"}
	default:
		return nil, false
	}
	return fault, true
}

func checkFormat(value string) *Fault {
	if value == "" || strings.Contains(strings.ToLower(value), "json") {
		return nil
	}
	return &Fault{http.StatusNotAcceptable, "not-supported", "_format: only JSON is served"}
}

func (q *query) sortBy(value string) *Fault {
	for name := range strings.SplitSeq(value, ",") {
		name, descending := strings.CutPrefix(strings.TrimSpace(name), "-")
		def, ok := define(q.kind, name)
		if !ok || def.kind == referenceType {
			return invalid("_sort: %q is not a sortable parameter of %s", printable(name), q.kind)
		}
		if len(q.sort) == maxParams {
			return invalid("_sort: more than %d keys", maxParams)
		}
		q.sort = append(q.sort, sortKey{def, descending})
	}
	return nil
}

// precedence applies what the function list says of parameters used together.
func (q *query) precedence() {
	has := func(names ...string) bool {
		return slices.ContainsFunc(q.filters, func(f filter) bool { return slices.Contains(names, f.name) })
	}
	drop := func(name string) {
		q.filters = slices.DeleteFunc(q.filters, func(f filter) bool { return f.name == name })
	}
	switch q.kind {
	case Patient:
		if has("given", "family") {
			drop("name")
		}
		if has("legal-sex") {
			drop("gender")
		}
	case Procedure:
		if !has(paramStatus) {
			q.filters = append(q.filters, filter{definition: statusParam, tokens: []tokenValue{{code: "completed", anySystem: true}}})
		}
	}
}

func newFilter(def definition, modifier, value string) (filter, *Fault) {
	f := filter{definition: def, modifier: modifier}
	if modifier == "missing" {
		missing, err := strconv.ParseBool(value)
		if err != nil {
			return f, invalid("%s:missing: not true or false", def.name)
		}
		f.missing = missing
		return f, nil
	}
	if !slices.Contains(modifiers(def.kind), modifier) {
		return f, invalid("%s: modifier %q is not served", def.name, printable(modifier))
	}
	values := split(value, ',')
	if len(values) > maxValues {
		return f, invalid("%s: more than %d values", def.name, maxValues)
	}
	for _, v := range values {
		if v == "" {
			continue
		}
		if fault := f.addValue(v); fault != nil {
			return f, fault
		}
	}
	return f, nil
}

func modifiers(kind paramType) []string {
	switch kind {
	case stringType:
		return []string{"", "exact", "contains"}
	case tokenType:
		return []string{"", "not", "text"}
	case referenceType:
		return []string{"", Patient}
	}
	return []string{""}
}

func (f *filter) addValue(value string) *Fault {
	switch f.kind {
	case stringType:
		text := unescape(value)
		if f.modifier != "exact" {
			text = fold(text)
		}
		f.texts = append(f.texts, text)
		f.words = append(f.words, strings.Fields(fold(text)))
	case tokenType:
		if f.modifier == "text" {
			f.texts = append(f.texts, fold(unescape(value)))
			return nil
		}
		f.tokens = append(f.tokens, parseToken(value))
	case referenceType:
		id := referenceID(unescape(value))
		if id == "" {
			return invalid("%s: not a reference to a patient; write S123 or Patient/S123", f.name)
		}
		f.tokens = append(f.tokens, tokenValue{code: id, anySystem: true})
	case dateType:
		date, err := parseDateValue(unescape(value))
		if err != nil {
			return invalid("%s: %v; write YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss+zz:zz, a prefix before it or not", f.name, err)
		}
		f.dates = append(f.dates, date)
	}
	return nil
}

func parseToken(value string) tokenValue {
	parts := split(value, '|')
	if len(parts) == 1 {
		return tokenValue{code: unescape(value), anySystem: true}
	}
	code := unescape(strings.Join(parts[1:], "|"))
	return tokenValue{system: unescape(parts[0]), code: code, anyCode: code == ""}
}

// split cuts at a separator that no backslash stands before.
func split(text string, separator byte) []string {
	var parts []string
	start := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case separator:
			parts = append(parts, text[start:i])
			start = i + 1
		}
	}
	return append(parts, text[start:])
}

func unescape(text string) string {
	if !strings.Contains(text, `\`) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) {
			i++
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

func paramNames(kind string) []string {
	var names []string
	for _, d := range searchable[kind] {
		names = append(names, d.name)
	}
	slices.Sort(names)
	return names
}

// printable keeps a client's own word short and in valid UTF-8 for a message.
func printable(text string) string {
	if len(text) > 40 {
		text = text[:40]
	}
	return strings.ToValidUTF8(text, "?")
}

// matches reports whether an entry passes the filter.
func (f *filter) matches(e *entry) bool {
	if f.modifier == "missing" {
		return f.empty(e) == f.missing
	}
	switch f.kind {
	case stringType:
		return f.matchStrings(f.strings(e))
	case dateType:
		for _, d := range f.definition.dates(e) {
			for _, v := range f.dates {
				if v.matches(d) {
					return true
				}
			}
		}
		return false
	}
	switch f.modifier {
	case "not":
		return !f.matchTokens(f.definition.tokens(e))
	case "text":
		return f.name == paramCode && prefixed(e.codeTexts, f.texts)
	}
	return f.matchTokens(f.definition.tokens(e))
}

func (f *filter) empty(e *entry) bool {
	switch f.kind {
	case stringType:
		return len(f.strings(e)) == 0
	case dateType:
		return len(f.definition.dates(e)) == 0
	}
	return len(f.definition.tokens(e)) == 0
}

func (f *filter) matchTokens(have []Token) bool {
	for _, t := range have {
		for _, v := range f.tokens {
			if (v.anyCode || v.code == t.Code) && (v.anySystem || v.system == t.System) {
				return true
			}
		}
	}
	return false
}

func (f *filter) matchStrings(have []word) bool {
	switch {
	case f.modifier == "exact":
		return slices.ContainsFunc(have, func(w word) bool { return slices.Contains(f.texts, w.plain) })
	case f.modifier == "contains":
		return slices.ContainsFunc(have, func(w word) bool {
			return slices.ContainsFunc(f.texts, func(t string) bool { return strings.Contains(w.folded, t) })
		})
	case prefixed(have, f.texts):
		return true
	case !f.byWord:
		return false
	}
	return slices.ContainsFunc(f.words, func(words []string) bool { return everyWord(have, words) })
}

func prefixed(have []word, prefixes []string) bool {
	return slices.ContainsFunc(have, func(w word) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(w.folded, p) })
	})
}

// everyWord reports whether each asked word begins a word of some text.
func everyWord(have []word, asked []string) bool {
	for _, a := range asked {
		if !slices.ContainsFunc(have, func(w word) bool {
			return strings.HasPrefix(w.folded, a) || strings.Contains(w.folded, " "+a)
		}) {
			return false
		}
	}
	return len(asked) > 0
}
