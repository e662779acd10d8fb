// Package pycalc evaluates the small part of Python in which the calculators of
// MedCalcBench are written, so that one text is both the program that runs in a
// sandbox and the formula that is checked here.
//
// A program is a sequence of lines: assignments to a name (= and +=), imports
// from datetime and math, and calls of print, both of which do nothing here. An
// expression has numbers, strings, True, False, None, tuples, lists, dicts,
// names, + - * / // % **, comparisons (chained; in; is None), and or not, the
// conditional expression, subscripts, and calls of the functions in eval.go. All
// numbers are float64. What Python would raise is an error, and so is a result
// that is not finite.
package pycalc

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/medgym-data/medgym-data/datasets/pysrc"
)

// Kind says which form of Value holds.
type Kind int

// The kinds of values. Days is a datetime.timedelta of whole days.
const (
	None Kind = iota
	Number
	Bool // Number is 1 or 0
	Text
	Date
	Days
	Tuple
	List
	Dict
)

// Value is a Python value.
type Value struct {
	Kind   Kind
	Number float64 // Number, Bool, Days
	Text   string
	Date   time.Time // at midnight UTC
	Items  []Value   // Tuple, List; the values of a Dict
	Keys   []string  // Dict, in order
}

// Get is a Dict's value for a key. Of a key that is there twice the last counts.
func (v Value) Get(key string) (Value, bool) {
	for i, k := range slices.Backward(v.Keys) {
		if k == key {
			return v.Items[i], true
		}
	}
	return Value{}, false
}

func number(x float64) Value { return Value{Kind: Number, Number: x} }

func boolean(b bool) Value {
	if b {
		return Value{Kind: Bool, Number: 1}
	}
	return Value{Kind: Bool}
}

// JSON is the value in the plain codec; an error for dicts.
func (v Value) JSON() (string, error) {
	switch v.Kind {
	case None:
		return "null", nil
	case Number:
		return strconv.FormatFloat(v.Number, 'e', -1, 64), nil
	case Bool:
		return strconv.FormatBool(v.Number != 0), nil
	case Text:
		quoted, err := jsontext.AppendQuote(nil, v.Text)
		return string(quoted), err
	case Date:
		return `{"$":"date","v":"` + v.Date.Format(time.DateOnly) + `"}`, nil
	case Days:
		return fmt.Sprintf(`{"$":"timedelta","v":%.1f}`, v.Number*24*60*60), nil
	case Tuple, List:
		parts := make([]string, len(v.Items))
		for i, item := range v.Items {
			var err error
			if parts[i], err = item.JSON(); err != nil {
				return "", err
			}
		}
		list := "[" + strings.Join(parts, ",") + "]"
		if v.Kind == Tuple {
			return `{"$":"tuple","v":` + list + `}`, nil
		}
		return list, nil
	}
	return "", errors.New("a dict is no answer")
}

// Bounds of what is read: the longest real text has 3,000 bytes, and no formula
// nests deeper than ten.
const (
	maxSource = 1 << 16
	maxDepth  = 100
)

// Eval evaluates one expression.
func Eval(src string, names map[string]Value) (Value, error) {
	p, err := newParser(src)
	if err != nil {
		return Value{}, err
	}
	n, err := p.expression()
	if err != nil {
		return Value{}, err
	}
	p.skip("\n")
	if !p.end() {
		return Value{}, p.unexpected()
	}
	return n(names)
}

// Run runs a program and returns its names.
func Run(src string) (map[string]Value, error) {
	p, err := newParser(src)
	if err != nil {
		return nil, err
	}
	names := map[string]Value{}
	for !p.end() {
		if p.skip("\n") {
			continue
		}
		if err := p.statement(names); err != nil {
			return nil, err
		}
		if !p.end() && !p.skip("\n") {
			return nil, p.unexpected()
		}
	}
	return names, nil
}

// statement runs one line.
func (p *parser) statement(names map[string]Value) error {
	tok := p.next()
	if tok.Kind != pysrc.Name {
		return fmt.Errorf("byte %d: not the start of a statement", tok.Start)
	}
	switch {
	case tok.Text == "from":
		for !p.end() && p.tokens[p.at].Kind != pysrc.Newline {
			p.at++
		}
		return nil
	case tok.Text == "print" && p.peek("("):
		n, err := p.expression() // of the argument, in its brackets
		if err != nil {
			return err
		}
		_, err = n(names)
		return err
	}
	add := p.skip("+=")
	if !add && !p.skip("=") {
		return p.unexpected()
	}
	n, err := p.expression()
	if err != nil {
		return err
	}
	value, err := n(names)
	if err != nil {
		return err
	}
	if add {
		old, ok := names[tok.Text]
		if !ok {
			return fmt.Errorf("byte %d: a name that is not set", tok.Start)
		}
		if value, err = arithmetic("+", old, value); err != nil {
			return err
		}
	}
	names[tok.Text] = value
	return nil
}

// Names are the names that an expression reads, sorted.
func Names(src string) []string {
	seen := map[string]bool{}
	for _, tok := range pysrc.Tokenize(src) {
		if tok.Kind == pysrc.Name {
			seen[tok.Text] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}
