package biocoder

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Outputs are compared as trees of tokens. Numbers agree to relTolerance; what
// stands in braces (sets, dicts) or in a dict's view agrees in any order; memory
// addresses and numpy's scalar wrappers do not count. Everything else must be
// the same, white space too, unless numbers on the way are written with other
// digits: then columns shift, and the space between tokens is not compared.

const (
	relTolerance = 1e-6
	// noise is below the rounding error of any computation with numbers around
	// one: two such numbers agree.
	noise = 1e-15
	// maxUnordered bounds the pairwise matching of a set's elements that are not
	// written alike.
	maxUnordered = 4096
)

var (
	address     = regexp.MustCompile(`\bat 0x[0-9a-fA-F]+`)
	numpyScalar = regexp.MustCompile(`\bnp\.(?:float|int|uint|bool|str|complex|longdouble|datetime|timedelta)[0-9_]*\(([^()]*)\)`)
	objectRepr  = regexp.MustCompile(`<[^<>]*\bat 0x>`)
)

// normalize takes off what carries no value.
func normalize(out string) string {
	out = strings.ReplaceAll(out, "\r\n", "\n")
	out = address.ReplaceAllString(out, "at 0x")
	out = numpyScalar.ReplaceAllString(out, "$1")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " \t")
	}
	return strings.Join(lines, "\n")
}

// uninformative says why an output cannot tell right from wrong; empty if it can.
func uninformative(out string) string {
	out = normalize(out)
	if out == "" {
		return "gold_output_empty"
	}
	onlyNone := true
	for _, word := range strings.Fields(out) {
		onlyNone = onlyNone && word == "None"
	}
	if onlyNone {
		return "gold_output_none" // any function without a return prints as much
	}
	rest := out
	for next := ""; next != rest; {
		next, rest = rest, objectRepr.ReplaceAllString(rest, "at 0x")
	}
	rest = strings.ReplaceAll(rest, "at 0x", "")
	if !strings.ContainsFunc(rest, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) && len(rest) < len(out) {
		return "gold_output_addresses"
	}
	return ""
}

// sameOutput says whether got agrees with want.
func sameOutput(want, got string) bool {
	want, got = normalize(want), normalize(got)
	if want == got {
		return true
	}
	wantTree, ok := parse(want)
	if !ok {
		return matchFlat(lex(want), lex(got))
	}
	gotTree, ok := parse(got)
	if !ok {
		return false
	}
	var diff difference
	return diff.nodes(wantTree, gotTree) && diff.acceptable()
}

type tokenKind byte

const (
	wordToken tokenKind = iota
	numberToken
	quotedToken
	punctToken
	newlineToken // outside brackets only
)

type token struct {
	kind    tokenKind
	text    string
	space   string // white space before it
	value   float64
	integer bool
	suffix  string // j of an imaginary number
}

var (
	numberForm = regexp.MustCompile(`^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?j?`)
	wordForm   = regexp.MustCompile(`^[\pL\pN_]+(?:\.[\pL\pN_]+)*`)
	quotedForm = regexp.MustCompile(`^(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")`)
)

// lex splits an output into tokens. Newlines are tokens here; parse drops those
// inside brackets.
func lex(s string) []token {
	var tokens []token
	space := ""
	previous := ' '
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		tok := token{kind: punctToken, text: s[:size], space: space}
		number := numberForm.FindString(s)
		if number != "" && !(isSign(r) && !startsOperand(previous)) && !continues(s[len(number):]) {
			tok = numberOf(number)
			tok.space = space
		} else if word := wordForm.FindString(s); word != "" {
			tok.kind, tok.text = wordToken, word
		} else if quoted := quotedForm.FindString(s); quoted != "" && startsOperand(previous) {
			tok.kind, tok.text = quotedToken, quoted
		} else if r == '\n' {
			tok.kind = newlineToken
		} else if unicode.IsSpace(r) {
			blank := strings.IndexFunc(s, func(r rune) bool { return r == '\n' || !unicode.IsSpace(r) })
			if blank < 0 {
				blank = len(s)
			}
			space, s, previous = s[:blank], s[blank:], r
			continue
		}
		tokens = append(tokens, tok)
		space = ""
		previous, _ = utf8.DecodeLastRuneInString(tok.text)
		s = s[len(tok.text):]
	}
	return tokens
}

func isSign(r rune) bool { return r == '+' || r == '-' }

// startsOperand says whether a sign or a quote after previous begins a value.
func startsOperand(previous rune) bool {
	return unicode.IsSpace(previous) || strings.ContainsRune("[({,:=<>|;/*", previous)
}

// continues says whether what looked like a number is part of a longer word, as
// in 1.2.3 or 5prime.
func continues(rest string) bool {
	r, size := utf8.DecodeRuneInString(rest)
	if r == '.' {
		r, _ = utf8.DecodeRuneInString(rest[size:])
	}
	return rest != "" && (r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r))
}

func numberOf(text string) token {
	tok := token{kind: numberToken, text: text}
	digits := text
	if strings.HasSuffix(digits, "j") {
		digits, tok.suffix = digits[:len(digits)-1], "j"
	}
	value, err := strconv.ParseFloat(digits, 64)
	if err != nil && !math.IsInf(value, 0) {
		return token{kind: wordToken, text: text}
	}
	unsigned := strings.TrimLeft(digits, "+-")
	padded := len(unsigned) > 1 && unsigned[0] == '0' && unsigned[1] != '.'
	tok.value = value
	tok.integer = !strings.ContainsAny(digits, ".eE")
	if padded { // 007 is a code, not a quantity
		tok.kind = wordToken
	}
	return tok
}

// node is a token, or a bracketed group of items that commas separate.
type node struct {
	token
	group     bool
	items     [][]node
	unordered bool
}

var closers = map[string]string{"[": "]", "(": ")", "{": "}"}

// parse builds the tree; false when brackets do not pair, as in free text.
func parse(s string) ([]node, bool) {
	p := parser{tokens: lex(s)}
	items := p.items("")
	return items[0], !p.bad && p.next == len(p.tokens)
}

type parser struct {
	tokens []token
	next   int
	depth  int
	bad    bool
}

const maxDepth = 200

// items reads up to the closer, split at commas; outside brackets all is one item
// and newlines count.
func (p *parser) items(closer string) [][]node {
	items := [][]node{nil}
	for ; p.next < len(p.tokens) && !p.bad; p.next++ {
		tok := p.tokens[p.next]
		last := &items[len(items)-1]
		switch {
		case tok.kind == newlineToken && closer != "":
			continue
		case tok.kind != punctToken:
		case tok.text == closer && closer != "":
			return items
		case tok.text == "," && closer != "":
			items = append(items, nil)
			continue
		case closers[tok.text] != "":
			if p.depth++; p.depth > maxDepth {
				p.bad = true
				return items
			}
			group := node{token: tok, group: true, unordered: p.unordered(*last, tok)}
			p.next++
			group.items = p.items(closers[tok.text])
			p.depth--
			if p.next >= len(p.tokens) {
				p.bad = true
			}
			*last = append(*last, group)
			continue
		case tok.text == "]" || tok.text == ")" || tok.text == "}":
			p.bad = true
			return items
		}
		*last = append(*last, node{token: tok})
	}
	if closer != "" {
		p.bad = true
	}
	return items
}

// unordered says whether a group's order carries no meaning: braces, but not
// those of an OrderedDict, and the list inside dict_keys and dict_items.
func (p *parser) unordered(before []node, open token) bool {
	inside := ""
	if p.next >= 2 && p.tokens[p.next-1].text == "(" {
		inside = p.tokens[p.next-2].text
	}
	if open.text == "{" {
		return inside != "OrderedDict"
	}
	return open.text == "[" && len(before) == 0 && (inside == "dict_keys" || inside == "dict_items")
}

// difference gathers what two outputs differ in that may be tolerated.
type difference struct{ digits, space bool }

func (d *difference) acceptable() bool { return d.digits || !d.space }

func (d *difference) nodes(want, got []node) bool {
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if !d.node(want[i], got[i], i > 0) {
			return false
		}
	}
	return true
}

// node compares two nodes; the space before the first of an item does not count.
func (d *difference) node(want, got node, countSpace bool) bool {
	if want.group != got.group || !d.token(want.token, got.token) {
		return false
	}
	if countSpace && want.space != got.space {
		d.space = true
	}
	if !want.group {
		return true
	}
	if want.unordered && got.unordered {
		return d.unordered(want.items, got.items)
	}
	if want.unordered != got.unordered || len(want.items) != len(got.items) {
		return false
	}
	for i := range want.items {
		if !d.nodes(want.items[i], got.items[i]) {
			return false
		}
	}
	return true
}

// unordered pairs items off: first those written alike, then each of the others
// with the first that agrees.
func (d *difference) unordered(want, got [][]node) bool {
	if len(want) != len(got) {
		return false
	}
	alike := map[string][]int{}
	for i, item := range got {
		key := text(item)
		alike[key] = append(alike[key], i)
	}
	taken := make([]bool, len(got))
	var rest [][]node
	for _, item := range want {
		key := text(item)
		if same := alike[key]; len(same) > 0 {
			taken[same[0]] = true
			alike[key] = same[1:]
			continue
		}
		rest = append(rest, item)
	}
	if len(rest) > maxUnordered {
		return false
	}
	for _, item := range rest {
		found := false
		for i := range got {
			if taken[i] {
				continue
			}
			try := *d
			if try.nodes(item, got[i]) {
				*d, taken[i], found = try, true, true
				break
			}
		}
		if !found {
			return false
		}
	}
	return true
}

// text writes an item so that equal texts are equal items.
func text(item []node) string {
	var b strings.Builder
	for _, n := range item {
		b.WriteString(n.text)
		b.WriteByte(0)
		if n.group {
			parts := make([]string, len(n.items))
			for i, sub := range n.items {
				parts[i] = text(sub)
			}
			if n.unordered {
				slices.Sort(parts)
			}
			b.WriteString(strings.Join(parts, "\x01"))
			b.WriteByte(2)
		}
	}
	return b.String()
}

func (d *difference) token(want, got token) bool {
	if want.text == got.text && want.kind == got.kind {
		return true
	}
	if want.kind != numberToken || got.kind != numberToken || want.suffix != got.suffix {
		return false
	}
	if want.integer && got.integer && want.value != got.value || !near(want.value, got.value) {
		return false
	}
	d.digits = true
	return true
}

func near(want, got float64) bool {
	if want == got {
		return true
	}
	if math.Abs(want) < noise && math.Abs(got) < noise {
		return true
	}
	return math.Abs(want-got) <= relTolerance*math.Abs(want)
}

// matchFlat compares outputs whose brackets do not pair, token by token.
func matchFlat(want, got []token) bool {
	var d difference
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if !d.token(want[i], got[i]) {
			return false
		}
		if i > 0 && want[i].space != got[i].space {
			d.space = true
		}
	}
	return d.acceptable()
}
