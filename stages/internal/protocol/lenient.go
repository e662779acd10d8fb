package protocol

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// value is a value of JSON as it was read.
type value struct {
	kind    byte   // as jsontext.Kind, but t for false too
	text    string // of a text, decoded
	members []member
	items   []value
	cut     bool // an object that the end of the reply closes
	twice   bool // a key is there twice, in it or below it
}

type member struct {
	key   string
	value value
}

// one finds the member with the first of keys that is there.
func (v value) one(keys ...string) (string, value, bool) {
	for _, key := range keys {
		for _, m := range v.members {
			if m.key == key {
				return key, m.value, true
			}
		}
	}
	return "", value{}, false
}

const (
	maxDepth = 64
	maxTail  = 200 // bytes that may stand behind an object that is not closed
)

// reader reads JSON, and what language models write for it where that can mean one
// thing only. It looks at each byte once, but for the few of a mark: at never goes
// back, not even where reading fails.
type reader struct {
	text   string
	at     int
	mends  mends
	why    string // reading failed
	action bool   // the outermost object names an action
}

func (r *reader) fail(format string, args ...any) bool {
	if r.why == "" {
		r.why = fmt.Sprintf(format, args...)
	}
	return false
}

func (r *reader) ended() bool { return r.at >= len(r.text) }

func (r *reader) begins(prefix string) bool { return strings.HasPrefix(r.text[r.at:], prefix) }

// whole reads a text that is one value and nothing else.
func (r *reader) whole() (value, bool) {
	if !r.space() {
		return value{}, false
	}
	v, ok := r.value(0)
	if !ok || !r.space() {
		return v, false
	}
	if !r.ended() {
		return v, r.fail("something follows the value")
	}
	return v, true
}

// space passes over blanks and comments.
func (r *reader) space() bool {
	for !r.ended() {
		switch c := r.text[r.at]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			r.at++
		case c == '#' || r.begins("//"):
			// Where no line ends it, it may have taken the rest of the object with it.
			if !r.comment("\n") {
				return false
			}
		case r.begins("/*"):
			r.at += len("/*")
			if !r.comment("*/") {
				return false
			}
		default:
			return true
		}
	}
	return true
}

func (r *reader) comment(end string) bool {
	n := strings.Index(r.text[r.at:], end)
	if n < 0 {
		r.at = len(r.text)
		return r.fail("a comment is not ended")
	}
	r.mends.add(mendComments)
	r.at += n + len(end)
	return true
}

func (r *reader) value(depth int) (value, bool) {
	if r.ended() {
		return value{}, r.fail("it ends where a value should stand")
	}
	switch c := r.text[r.at]; {
	case depth > maxDepth:
		return value{}, r.fail("it is nested too deep")
	case c == '{':
		return r.object(depth)
	case c == '[':
		return r.list(depth)
	case c == '-' || '0' <= c && c <= '9':
		return r.number()
	case letter(c):
		return r.literal()
	}
	if q, ok := r.quotes(); ok {
		s, ok := r.quoted(q)
		return value{kind: '"', text: s}, ok
	}
	return value{}, r.fail("%s stands where a value should", r.here())
}

// here quotes the character at hand.
func (r *reader) here() string {
	c, _ := utf8.DecodeRuneInString(r.text[r.at:])
	return strconv.QuoteRune(c)
}

// object reads from the brace at hand.
func (r *reader) object(depth int) (v value, ok bool) {
	v.kind = '{'
	r.at++
	for {
		if !r.space() {
			return v, false
		}
		if r.ended() {
			return v, r.fail("it ends where a key should stand")
		}
		if r.begins("}") {
			r.at++
			if len(v.members) > 0 {
				r.mends.add(mendTrailingComma)
			}
			break
		}
		key, ok := r.key()
		if !ok || !r.space() {
			return v, false
		}
		if r.ended() || r.text[r.at] != ':' {
			return v, r.fail("no colon follows a key")
		}
		r.at++
		r.action = r.action || depth == 0 && key == keyAction
		if !r.space() {
			return v, false
		}
		of, ok := r.value(depth + 1)
		if !ok {
			return v, false
		}
		v.members = append(v.members, member{key, of})
		r.action = r.action || depth == 0 && of.kind == '"' && slices.Contains(actionKeys, key) && known(of.text)
		v.twice = v.twice || of.twice
		if !r.space() {
			return v, false
		}
		if r.begins(",") {
			r.at++
			continue
		}
		if r.begins("}") {
			r.at++
			break
		}
		if tail(r.text[r.at:]) {
			r.mends.add(mendUnclosed)
			v.cut = true
			break
		}
		if r.ended() {
			return v, r.fail("it is not closed")
		}
		return v, r.fail("%s follows a value; are all quotes inside of texts written as \\\"?", r.here())
	}
	v.twice = v.twice || twice(v.members)
	return v, true
}

// twice says whether a key is there twice.
func twice(members []member) bool {
	if len(members) < 2 {
		return false
	}
	seen := make(map[string]bool, len(members))
	for _, m := range members {
		if seen[m.key] {
			return true
		}
		seen[m.key] = true
	}
	return false
}

func (r *reader) key() (string, bool) {
	if q, ok := r.quotes(); ok {
		return r.quoted(q)
	}
	if letter(r.text[r.at]) {
		r.mends.add(mendBareKeys)
		return r.word(), true
	}
	return "", r.fail("%s stands where a key should", r.here())
}

func (r *reader) list(depth int) (v value, ok bool) {
	v.kind = '['
	r.at++
	for {
		if !r.space() {
			return v, false
		}
		if r.begins("]") {
			r.at++
			if len(v.items) > 0 {
				r.mends.add(mendTrailingComma)
			}
			return v, true
		}
		item, ok := r.value(depth + 1)
		if !ok || !r.space() {
			return v, false
		}
		v.items = append(v.items, item)
		v.twice = v.twice || item.twice
		switch {
		case r.begins(","):
			r.at++
		case r.begins("]"):
			r.at++
			return v, true
		default:
			return v, r.fail("a list is not closed")
		}
	}
}

func (r *reader) number() (value, bool) {
	begin := r.at
	for !r.ended() && strings.IndexByte("+-.0123456789eE", r.text[r.at]) >= 0 {
		r.at++
	}
	if !jsontext.Value(r.text[begin:r.at]).IsValid() {
		return value{}, r.fail("a number is not written as in JSON")
	}
	return value{kind: '0'}, true
}

func (r *reader) literal() (value, bool) {
	switch r.word() {
	case "true", "false":
		return value{kind: 't'}, true
	case "null":
		return value{kind: 'n'}, true
	case "True", "False":
		r.mends.add(mendLiterals)
		return value{kind: 't'}, true
	case "None":
		r.mends.add(mendLiterals)
		return value{kind: 'n'}, true
	}
	return value{}, r.fail("a value stands in no quotes")
}

func (r *reader) word() string {
	begin := r.at
	for !r.ended() && (letter(r.text[r.at]) || '0' <= r.text[r.at] && r.text[r.at] <= '9') {
		r.at++
	}
	return r.text[begin:r.at]
}

func letter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' }

// quotation is a way to write a text.
type quotation struct {
	open, end string
	mend      string // empty: as in JSON
	verbatim  bool
}

// quotations are tried in order: three quotes are no empty text with one more.
var quotations = []quotation{
	{`"""`, `"""`, mendTripleQuotes, true},
	{`'''`, `'''`, mendTripleQuotes, true},
	{`"`, `"`, "", false},
	{`'`, `'`, mendSingleQuotes, false},
	{"`", "`", mendBackticks, false},
	{"“", "”", mendSmartQuotes, false},
	{"”", "”", mendSmartQuotes, false},
	{"‘", "’", mendSmartQuotes, false},
	{"’", "’", mendSmartQuotes, false},
}

func (r *reader) quotes() (quotation, bool) {
	for _, q := range quotations {
		if r.begins(q.open) {
			return q, true
		}
	}
	return quotation{}, false
}

// quoted reads a text from its opening quotes, which it does not ask for again.
func (r *reader) quoted(q quotation) (string, bool) {
	r.at += len(q.open)
	if q.mend != "" {
		r.mends.add(q.mend)
	}
	var s string
	var ok bool
	if q.verbatim {
		s, ok = r.verbatim(q.end)
	} else {
		s, ok = r.escaped(q.end)
	}
	if ok && !utf8.ValidString(s) {
		return "", r.fail("a text is not UTF-8")
	}
	return s, ok
}

func (r *reader) verbatim(end string) (string, bool) {
	n := strings.Index(r.text[r.at:], end)
	if n < 0 {
		r.at = len(r.text)
		return "", r.fail("a text is not closed")
	}
	s := r.text[r.at : r.at+n]
	r.at += n + len(end)
	return s, true
}

func (r *reader) escaped(end string) (string, bool) {
	var out []byte
	begin := r.at // of what is not in out
	for !r.ended() {
		switch c := r.text[r.at]; {
		case c == end[0] && r.begins(end):
			s := r.text[begin:r.at]
			if out != nil {
				s = string(append(out, s...))
			}
			r.at += len(end)
			return s, true
		case c == '\\':
			out = append(out, r.text[begin:r.at]...)
			r.at++
			var ok bool
			if out, ok = r.escape(out, end); !ok {
				return "", false
			}
			begin = r.at
		case c < ' ':
			r.mends.add(mendControls)
			r.at++
		default:
			r.at++
		}
	}
	return "", r.fail("a text is not closed")
}

// escape decodes what follows a backslash. Where JSON knows no such escape the
// backslash is the text's own, and what follows it is left to be read.
func (r *reader) escape(out []byte, end string) ([]byte, bool) {
	if r.ended() {
		return out, r.fail("a text is not closed")
	}
	c := r.text[r.at]
	switch {
	case c == '"' || c == '\\' || c == '/' || end == string(c):
		out = append(out, c)
	case c == 'b':
		out = append(out, '\b')
	case c == 'f':
		out = append(out, '\f')
	case c == 'n':
		out = append(out, '\n')
	case c == 'r':
		out = append(out, '\r')
	case c == 't':
		out = append(out, '\t')
	case c == 'u' && hex(r.text[r.at+1:]) >= 0:
		return r.unicode(out)
	default:
		r.mends.add(mendEscape)
		return append(out, '\\'), true
	}
	r.at++
	return out, true
}

// unicode decodes from the u of an escape.
func (r *reader) unicode(out []byte) ([]byte, bool) {
	c := hex(r.text[r.at+1:])
	r.at += 5
	if utf16.IsSurrogate(c) {
		low := rune(-1)
		if r.begins(`\u`) {
			low = hex(r.text[r.at+2:])
		}
		if c = utf16.DecodeRune(c, low); c == utf8.RuneError {
			return out, r.fail("a text has half of a pair of \\u escapes")
		}
		r.at += 6
	}
	return utf8.AppendRune(out, c), true
}

// hex reads four digits; -1 where there are not four.
func hex(text string) rune {
	if len(text) < 4 {
		return -1
	}
	n, err := strconv.ParseUint(text[:4], 16, 16)
	if err != nil {
		return -1
	}
	return rune(n)
}

// tail says whether nothing is left of a reply but what closes fences and tags.
func tail(rest string) bool {
	if len(rest) > maxTail {
		return false
	}
	for {
		rest = strings.TrimLeft(rest, " \t\r\n")
		if rest == "" {
			return true
		}
		cut, ok := cutAny(rest, strings.CutPrefix, closers)
		if !ok {
			return false
		}
		rest = cut
	}
}

// cutAny takes one of the marks away from where cut looks for it.
func cutAny(text string, cut func(string, string) (string, bool), marks []string) (string, bool) {
	for _, mark := range marks {
		if rest, ok := cut(text, mark); ok {
			return rest, true
		}
	}
	return text, false
}
