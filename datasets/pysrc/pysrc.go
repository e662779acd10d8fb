// Package pysrc reads Python source text as far as sources need it: tokens,
// indentation that leaves string literals alone, the names that a piece of test
// code takes from elsewhere, and literal lists of strings. It runs nothing and
// judges no syntax: what it cannot make out it passes on as it is.
package pysrc

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Kind classifies a Token.
type Kind int

// The kinds of tokens. Newline ends a logical line: it is not given inside
// brackets, after a backslash, or for blank lines. Comments are left out.
const (
	Name Kind = iota
	Number
	String // with its prefix and quotes
	Op
	Newline
)

// Token is one lexical token; Text is src[Start:End].
type Token struct {
	Kind       Kind
	Text       string
	Start, End int
}

// Tokenize splits source after the lexical rules of the Python reference, section
// 2. It never fails: an unterminated string runs to the end of its line, or of
// the source if it is triple-quoted, and unknown characters are operators.
func Tokenize(src string) []Token {
	var tokens []Token
	depth := 0
	emit := func(kind Kind, start, end int) {
		tokens = append(tokens, Token{Kind: kind, Text: src[start:end], Start: start, End: end})
	}
	for i := 0; i < len(src); {
		c := src[i]
		switch {
		case c == '\n':
			if depth == 0 && len(tokens) > 0 && tokens[len(tokens)-1].Kind != Newline {
				emit(Newline, i, i+1)
			}
			i++
		case c == ' ' || c == '\t' || c == '\r' || c == '\f':
			i++
		case c == '\\' && strings.HasPrefix(strings.TrimPrefix(src[i+1:], "\r"), "\n"):
			i += strings.IndexByte(src[i:], '\n') + 1
		case c == '#':
			if end := strings.IndexByte(src[i:], '\n'); end >= 0 {
				i += end
			} else {
				i = len(src)
			}
		case stringStart(src[i:]) > 0:
			end := i + stringEnd(src[i:])
			emit(String, i, end)
			i = end
		case c >= '0' && c <= '9' || c == '.' && i+1 < len(src) && src[i+1] >= '0' && src[i+1] <= '9':
			end := i + numberEnd(src[i:])
			emit(Number, i, end)
			i = end
		default:
			r, size := utf8.DecodeRuneInString(src[i:])
			if isNameStart(r) {
				end := i + size
				for end < len(src) {
					r, size := utf8.DecodeRuneInString(src[end:])
					if !isNameStart(r) && !unicode.IsDigit(r) {
						break
					}
					end += size
				}
				emit(Name, i, end)
				i = end
				continue
			}
			switch c {
			case '(', '[', '{':
				depth++
			case ')', ']', '}':
				depth = max(depth-1, 0)
			default:
				size = operatorSize(src[i:], size)
			}
			emit(Op, i, i+size)
			i += size
		}
	}
	return tokens
}

// operatorSize joins the two-character operators that would otherwise be taken
// for an assignment.
func operatorSize(s string, size int) int {
	if len(s) >= 2 && s[1] == '=' && strings.IndexByte("=!<>:+-*/%&|^@", s[0]) >= 0 {
		return 2
	}
	return size
}

func isNameStart(r rune) bool { return r == '_' || unicode.IsLetter(r) }

// stringStart is the length of prefix and opening quotes if a string literal
// begins here, else 0.
func stringStart(s string) int {
	n := 0
	for n < len(s) && n < 3 && strings.IndexByte("rRbBuUfF", s[n]) >= 0 {
		n++
	}
	if n == len(s) || n == 3 || s[n] != '\'' && s[n] != '"' {
		return 0
	}
	if strings.HasPrefix(s[n:], strings.Repeat(s[n:n+1], 3)) {
		return n + 3
	}
	return n + 1
}

// stringEnd is the length of the string literal that begins here.
func stringEnd(s string) int {
	start := stringStart(s)
	quote := s[start-1 : start]
	triple := start >= 3 && s[start-3:start] == strings.Repeat(quote, 3)
	for i := start; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case triple && strings.HasPrefix(s[i:], strings.Repeat(quote, 3)):
			return i + 3
		case !triple && s[i] == quote[0]:
			return i + 1
		case !triple && s[i] == '\n':
			return i
		}
	}
	return len(s)
}

func numberEnd(s string) int {
	i := 0
	for i < len(s) {
		c := s[i]
		sign := (c == '+' || c == '-') && i > 0 && (s[i-1] == 'e' || s[i-1] == 'E') && !strings.HasPrefix(s, "0x")
		if !sign && c != '.' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			break
		}
		i++
	}
	return i
}

// sourceLine is a line that begins outside a string literal. Its indentation
// counts when it begins a statement: not inside brackets, not a comment.
type sourceLine struct {
	start  int
	counts bool
}

func sourceLines(src string) []sourceLine {
	tokens := Tokenize(src)
	lines := []sourceLine{{start: 0, counts: true}}
	next, depth := 0, 0
	for i := 0; i < len(src); i++ {
		if src[i] != '\n' {
			continue
		}
		for next < len(tokens) && tokens[next].End <= i {
			depth = max(depth+depthChange(tokens[next]), 0)
			next++
		}
		inString := next < len(tokens) && tokens[next].Kind == String && tokens[next].Start < i
		continued := i > 0 && src[i-1] == '\\'
		if !inString {
			lines = append(lines, sourceLine{start: i + 1, counts: depth == 0 && !continued})
		}
	}
	return lines
}

// Reindent takes away the whitespace that all statements begin with and puts
// indent in its place. Lines that begin inside a string literal, and blank lines,
// stay as they are, so that no value changes.
func Reindent(src, indent string) string {
	lines := sourceLines(src)
	common, first := "", true
	for _, l := range lines {
		line, _, _ := strings.Cut(src[l.start:], "\n")
		text := strings.TrimLeft(line, " \t")
		if !l.counts || strings.TrimSpace(text) == "" || text[0] == '#' {
			continue
		}
		lead := line[:len(line)-len(text)]
		if first {
			common, first = lead, false
		}
		for !strings.HasPrefix(lead, common) {
			common = common[:len(common)-1]
		}
	}
	var out strings.Builder
	for i, l := range lines {
		end := len(src)
		if i+1 < len(lines) {
			end = lines[i+1].start
		}
		part := src[l.start:end]
		line, _, _ := strings.Cut(part, "\n")
		if strings.TrimSpace(line) == "" {
			out.WriteString(part)
			continue
		}
		out.WriteString(indent)
		out.WriteString(strings.TrimPrefix(part, common))
	}
	return out.String()
}
