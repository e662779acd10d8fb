package pysrc

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxList bounds a literal list; real rows hold a handful.
const maxList = 100_000

// StringList reads a Python literal that is a list (or tuple) of strings, as
// repr writes it or as a person might: any quotes, prefixes r and u, adjacent
// literals joined, a comma at the end. Anything else is an error; nothing is
// evaluated.
func StringList(src string) ([]string, error) {
	tokens := slices.DeleteFunc(Tokenize(src), func(t Token) bool { return t.Kind == Newline })
	if len(tokens) < 2 {
		return nil, errors.New("not a list of strings")
	}
	closer := map[string]string{"[": "]", "(": ")"}[tokens[0].Text]
	if closer == "" || tokens[len(tokens)-1].Text != closer {
		return nil, errors.New("not a list of strings")
	}
	list := []string{}
	expectItem := true
	for _, tok := range tokens[1 : len(tokens)-1] {
		switch {
		case tok.Kind == String:
			value, err := unquote(tok.Text)
			if err != nil {
				return nil, fmt.Errorf("item %d: %w", len(list)+1, err)
			}
			if !expectItem { // adjacent literals are one
				list[len(list)-1] += value
				continue
			}
			if len(list) == maxList {
				return nil, fmt.Errorf("more than %d items", maxList)
			}
			list = append(list, value)
			expectItem = false
		case tok.Text == "," && !expectItem:
			expectItem = true
		default:
			return nil, fmt.Errorf("item %d is not a string", len(list)+1)
		}
	}
	return list, nil
}

// unquote gives the value of one string literal.
func unquote(lit string) (string, error) {
	start := stringStart(lit)
	if start == 0 {
		return "", errors.New("not a string")
	}
	quoteLen := 1
	if start >= 3 && lit[start-1] == lit[start-2] && lit[start-2] == lit[start-3] {
		quoteLen = 3
	}
	prefix := strings.ToLower(lit[:start-quoteLen])
	if strings.ContainsAny(prefix, "bf") {
		return "", errors.New("a bytes or formatted literal")
	}
	quotes := lit[start-quoteLen : start]
	body, ok := strings.CutSuffix(lit[start:], quotes)
	if !ok {
		return "", errors.New("an unterminated string")
	}
	if strings.Contains(prefix, "r") {
		return body, nil
	}
	return unescape(body)
}

var simpleEscapes = map[byte]string{
	'\n': "", '\\': "\\", '\'': "'", '"': "\"", 'a': "\a", 'b': "\b",
	'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v",
}

func unescape(body string) (string, error) {
	var out strings.Builder
	for i := 0; i < len(body); i++ {
		if body[i] != '\\' {
			out.WriteByte(body[i])
			continue
		}
		i++
		if i == len(body) {
			return "", errors.New("an unterminated string")
		}
		c := body[i]
		if text, ok := simpleEscapes[c]; ok {
			out.WriteString(text)
			continue
		}
		digits, base := 0, 16
		switch {
		case c == 'x':
			digits = 2
		case c == 'u':
			digits = 4
		case c == 'U':
			digits = 8
		case c >= '0' && c <= '7':
			base = 8
			for digits < 3 && i+digits < len(body) && body[i+digits] >= '0' && body[i+digits] <= '7' {
				digits++
			}
			i--
		case c == 'N':
			return "", errors.New("an escape by character name")
		default: // Python keeps an unknown escape as it stands
			out.WriteByte('\\')
			out.WriteByte(c)
			continue
		}
		if i+1+digits > len(body) {
			return "", errors.New("a cut escape")
		}
		code, err := strconv.ParseUint(body[i+1:i+1+digits], base, 32)
		if err != nil || !utf8.ValidRune(rune(code)) {
			return "", errors.New("an escape that is no character")
		}
		out.WriteRune(rune(code))
		i += digits
	}
	return out.String(), nil
}

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}
