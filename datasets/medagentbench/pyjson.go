package medagentbench

import (
	"errors"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/medgym-data/medgym-data/datasets/grading"
)

// maxPyDepth stands for Python's recursion limit.
const maxPyDepth = 900

// maxPyDigits is the longest integer that Python reads from text.
const maxPyDigits = 4300

var errPyJSON = errors.New("not what json.loads reads")

// parsePyJSON reads text as Python's json.loads does: NaN and infinities are
// numbers, the last of two equal keys counts, integers are exact. A lone surrogate,
// which Go's text cannot hold, becomes U+FFFD.
func parsePyJSON(text string) (grading.Value, error) {
	p := pyParser{rest: text}
	v, ok := p.value(0)
	p.space()
	if !ok || p.rest != "" {
		return grading.Value{}, errPyJSON
	}
	return v, nil
}

type pyParser struct{ rest string }

func (p *pyParser) space() { p.rest = strings.TrimLeft(p.rest, " \t\n\r") }

func (p *pyParser) take(token string) bool {
	rest, ok := strings.CutPrefix(p.rest, token)
	if ok {
		p.rest = rest
	}
	return ok
}

func (p *pyParser) value(depth int) (grading.Value, bool) {
	if depth > maxPyDepth {
		return grading.Value{}, false
	}
	p.space()
	switch {
	case p.take("{"):
		return p.object(depth)
	case p.take("["):
		return p.array(depth)
	case p.take(`"`):
		text, ok := p.text()
		return grading.Value{Kind: grading.Text, Text: text}, ok
	case p.take("null"):
		return grading.Value{Kind: grading.Null}, true
	case p.take("true"):
		return grading.Value{Kind: grading.Bool, Bool: true}, true
	case p.take("false"):
		return grading.Value{Kind: grading.Bool}, true
	case p.take("NaN"):
		return grading.Value{Kind: grading.Float, Float: math.NaN()}, true
	case p.take("Infinity"):
		return grading.Value{Kind: grading.Float, Float: math.Inf(1)}, true
	case p.take("-Infinity"):
		return grading.Value{Kind: grading.Float, Float: math.Inf(-1)}, true
	}
	return p.number()
}

func (p *pyParser) object(depth int) (grading.Value, bool) {
	v := grading.Value{Kind: grading.Dict}
	at := map[string]int{}
	p.space()
	if p.take("}") {
		return v, true
	}
	for {
		p.space()
		if !p.take(`"`) {
			return v, false
		}
		key, ok := p.text()
		p.space()
		if !ok || !p.take(":") {
			return v, false
		}
		member, ok := p.value(depth + 1)
		if !ok {
			return v, false
		}
		if i, twice := at[key]; twice {
			v.Pairs[i].Value = member
		} else {
			at[key] = len(v.Pairs)
			v.Pairs = append(v.Pairs, grading.Pair{Key: grading.Value{Kind: grading.Text, Text: key}, Value: member})
		}
		p.space()
		if p.take("}") {
			return v, true
		}
		if !p.take(",") {
			return v, false
		}
	}
}

func (p *pyParser) array(depth int) (grading.Value, bool) {
	v := grading.Value{Kind: grading.List}
	p.space()
	if p.take("]") {
		return v, true
	}
	for {
		element, ok := p.value(depth + 1)
		if !ok {
			return v, false
		}
		v.Items = append(v.Items, element)
		p.space()
		if p.take("]") {
			return v, true
		}
		if !p.take(",") {
			return v, false
		}
	}
}

// text reads the rest of a string whose first quote is taken.
func (p *pyParser) text() (string, bool) {
	var b strings.Builder
	for {
		i := strings.IndexFunc(p.rest, func(c rune) bool { return c == '"' || c == '\\' || c < 0x20 })
		if i < 0 || p.rest[i] < 0x20 {
			return "", false
		}
		b.WriteString(p.rest[:i])
		quote := p.rest[i] == '"'
		p.rest = p.rest[i+1:]
		if quote {
			return b.String(), true
		}
		c, ok := p.escape()
		if !ok {
			return "", false
		}
		b.WriteRune(c)
	}
}

// escape reads what follows a backslash.
func (p *pyParser) escape() (rune, bool) {
	if p.rest == "" {
		return 0, false
	}
	c := p.rest[0]
	if c != 'u' {
		p.rest = p.rest[1:]
		i := strings.IndexByte(`"\/bfnrt`, c)
		if i < 0 {
			return 0, false
		}
		return rune("\"\\/\b\f\n\r\t"[i]), true
	}
	high, ok := p.unit()
	if !ok || !utf16.IsSurrogate(high) {
		return high, ok
	}
	before := p.rest
	if strings.HasPrefix(p.rest, `\u`) {
		p.rest = p.rest[1:]
		if low, ok := p.unit(); ok {
			if pair := utf16.DecodeRune(high, low); pair != utf8.RuneError {
				return pair, true
			}
		}
	}
	p.rest = before
	return utf8.RuneError, true
}

// unit reads uXXXX.
func (p *pyParser) unit() (rune, bool) {
	if len(p.rest) < 5 {
		return 0, false
	}
	n, err := strconv.ParseUint(p.rest[1:5], 16, 16)
	p.rest = p.rest[5:]
	return rune(n), err == nil
}

var pyNumber = regexp.MustCompile(`^(-?(?:0|[1-9][0-9]*))(\.[0-9]+)?([eE][-+]?[0-9]+)?`)

func (p *pyParser) number() (grading.Value, bool) {
	m := pyNumber.FindStringSubmatch(p.rest)
	if m == nil {
		return grading.Value{}, false
	}
	p.rest = p.rest[len(m[0]):]
	if m[2] == "" && m[3] == "" {
		n, ok := new(big.Int).SetString(m[1], 10)
		return grading.Value{Kind: grading.Int, Int: n}, ok && len(strings.TrimPrefix(m[1], "-")) <= maxPyDigits
	}
	f, _ := strconv.ParseFloat(m[0], 64) // out of range is inf, as in Python
	return grading.Value{Kind: grading.Float, Float: f}, true
}
