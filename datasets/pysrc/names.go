package pysrc

import "slices"

// FreeName is a name that code reads without having bound it.
type FreeName struct {
	Name string
	// Attrs are the attributes that are read from it, or from what its subscripts
	// give, and that are not called: kmf.durations.sum() reads durations.
	Attrs []string
}

// FreeNames lists the names that straight-line test code takes from elsewhere,
// in the order of their first use: read before anything binds them, and neither
// keywords nor builtins. Names bound by a comprehension, lambda, for or with
// count as bound in the whole statement and after it, so that a name used both
// ways in one statement is missed; test code that does so must be read by hand.
func FreeNames(src string) []FreeName {
	var free []FreeName
	bound := map[string]bool{}
	for line := range logicalLines(Tokenize(src)) {
		binds := boundBy(line)
		early := map[string]bool{}
		for _, name := range binds.early {
			early[name] = true
		}
		for i, tok := range line {
			if !isRead(line, i) || binds.target[i] || bound[tok.Text] || early[tok.Text] {
				continue
			}
			at := slices.IndexFunc(free, func(f FreeName) bool { return f.Name == tok.Text })
			if at < 0 {
				at = len(free)
				free = append(free, FreeName{Name: tok.Text})
			}
			for _, attr := range attrsAfter(line, i) {
				if !slices.Contains(free[at].Attrs, attr) {
					free[at].Attrs = append(free[at].Attrs, attr)
				}
			}
		}
		for _, name := range append(binds.early, binds.late...) {
			bound[name] = true
		}
	}
	return free
}

// logicalLines yields the statements, split at newlines and semicolons.
func logicalLines(tokens []Token) func(yield func([]Token) bool) {
	return func(yield func([]Token) bool) {
		start, depth := 0, 0
		for i, tok := range tokens {
			depth += depthChange(tok)
			if tok.Kind == Newline || depth == 0 && tok.Text == ";" {
				if i > start && !yield(tokens[start:i]) {
					return
				}
				start = i + 1
			}
		}
		if start < len(tokens) {
			yield(tokens[start:])
		}
	}
}

func depthChange(tok Token) int {
	if tok.Kind == Op {
		switch tok.Text {
		case "(", "[", "{":
			return 1
		case ")", "]", "}":
			return -1
		}
	}
	return 0
}

// binding is what a statement binds: early names hold inside it too, late ones
// only after it (x = x + 1 reads x first).
type binding struct {
	early, late []string
	target      map[int]bool // tokens that are assigned to, not read
}

func boundBy(line []Token) binding {
	b := binding{target: map[int]bool{}}
	depth := 0
	for i, tok := range line {
		depth += depthChange(tok)
		switch {
		case tok.Kind == Op && tok.Text == "=" && depth == 0:
			for _, at := range targets(line[:i]) {
				b.target[at] = true
				b.late = append(b.late, line[at].Text)
			}
		case tok.Kind == Op && tok.Text == ":=" && i > 0:
			b.early = append(b.early, line[i-1].Text)
		case tok.Kind != Name:
		case tok.Text == "for":
			b.early = append(b.early, namesUntil(line[i+1:], "in")...)
		case tok.Text == "lambda":
			b.early = append(b.early, namesUntil(line[i+1:], ":")...)
		case tok.Text == "def" || tok.Text == "class":
			b.early = append(b.early, namesUntil(line[i+1:], ":")...)
		case tok.Text == "as" && i+1 < len(line):
			b.early = append(b.early, line[i+1].Text)
		case tok.Text == "import":
			for j := i + 1; j < len(line); j++ {
				root := line[j].Kind == Name && line[j].Text != "as" && line[j-1].Text != "."
				if root {
					b.early = append(b.early, line[j].Text)
				}
			}
		}
	}
	if len(line) > 0 && line[0].Text == "from" {
		for _, tok := range line {
			if tok.Text == "import" {
				break
			}
			if tok.Kind == Name { // module path: neither read nor free
				b.early = append(b.early, tok.Text)
			}
		}
	}
	return b
}

// targets are the places of the plain names that an assignment's left side
// binds; in frame["x"] = 1 frame is read, not bound.
func targets(left []Token) []int {
	var places []int
	for i, tok := range left {
		if tok.Kind != Name {
			continue
		}
		after := ""
		if i+1 < len(left) {
			after = left[i+1].Text
		}
		before := ""
		if i > 0 {
			before = left[i-1].Text
		}
		if before != "." && after != "." && after != "[" && after != "(" && plainTarget(left[:i]) {
			places = append(places, i)
		}
	}
	return places
}

// plainTarget says whether a name after prefix stands outside subscripts.
func plainTarget(prefix []Token) bool {
	depth := 0
	for _, tok := range prefix {
		if tok.Text == "[" || tok.Text == "]" {
			depth += depthChange(tok)
		}
	}
	return depth == 0
}

func namesUntil(tokens []Token, stop string) []string {
	var names []string
	depth := 0
	for _, tok := range tokens {
		depth += depthChange(tok)
		if tok.Text == stop && depth <= 0 {
			break
		}
		if tok.Kind == Name {
			names = append(names, tok.Text)
		}
	}
	return names
}

// isRead says whether the token at i reads a variable.
func isRead(line []Token, i int) bool {
	tok := line[i]
	if tok.Kind != Name || keywords[tok.Text] || builtins[tok.Text] {
		return false
	}
	if i > 0 && line[i-1].Kind == Op && line[i-1].Text == "." {
		return false
	}
	// followed by =, it is a keyword argument or an assignment's target
	return i+1 == len(line) || line[i+1].Text != "="
}

// attrsAfter lists the attributes in the chain of attributes and subscripts that
// follows a name, up to the first call.
func attrsAfter(line []Token, i int) []string {
	var attrs []string
	for i++; i < len(line); i++ {
		switch {
		case line[i].Text == "." && i+1 < len(line) && line[i+1].Kind == Name:
			if i+2 < len(line) && line[i+2].Text == "(" {
				return attrs
			}
			attrs = append(attrs, line[i+1].Text)
			i++
		case line[i].Text == "[":
			for depth := 0; i < len(line); i++ {
				if depth += depthChange(line[i]); depth == 0 {
					break
				}
			}
		default:
			return attrs
		}
	}
	return attrs
}

var keywords = set("False None True and as assert async await break class continue def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield")

var builtins = set("abs all any ascii bin bool bytearray bytes callable chr classmethod complex dict dir divmod enumerate eval exec filter float format frozenset getattr globals hasattr hash hex id input int isinstance issubclass iter len list locals map max memoryview min next object oct open ord pow print property range repr reversed round set setattr slice sorted staticmethod str sum super tuple type vars zip __name__ __import__ AssertionError AttributeError Exception ImportError IndexError KeyError NameError NotImplementedError RuntimeError StopIteration TypeError ValueError ZeroDivisionError NotImplemented Ellipsis")
