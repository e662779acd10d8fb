package pycalc

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"github.com/medgym-data/medgym-data/datasets/pysrc"
)

// node is a parsed expression.
type node func(names map[string]Value) (Value, error)

type parser struct {
	tokens []pysrc.Token
	at     int
	depth  int
}

func newParser(src string) (*parser, error) {
	if len(src) > maxSource {
		return nil, fmt.Errorf("%d bytes of source, at most %d are read", len(src), maxSource)
	}
	return &parser{tokens: pysrc.Tokenize(src)}, nil
}

func (p *parser) end() bool { return p.at >= len(p.tokens) }

func (p *parser) next() pysrc.Token {
	if p.end() {
		return pysrc.Token{Kind: pysrc.Newline}
	}
	p.at++
	return p.tokens[p.at-1]
}

// peek reports whether the next token is text, but no string literal.
func (p *parser) peek(text string) bool {
	return !p.end() && p.tokens[p.at].Text == text && p.tokens[p.at].Kind != pysrc.String
}

func (p *parser) skip(text string) bool {
	if !p.peek(text) {
		return false
	}
	p.at++
	return true
}

// operator skips the first of the operators that comes next. The tokenizer leaves
// ** and // in halves.
func (p *parser) operator(ops ...string) string {
	for _, op := range ops {
		if op == "**" || op == "//" {
			if p.peek(op[:1]) && p.at+1 < len(p.tokens) && p.tokens[p.at+1].Text == op[:1] && p.tokens[p.at].End == p.tokens[p.at+1].Start {
				p.at += 2
				return op
			}
			continue
		}
		if p.skip(op) {
			return op
		}
	}
	return ""
}

func (p *parser) unexpected() error {
	if p.end() {
		return errors.New("the text ends too early")
	}
	return fmt.Errorf("byte %d: unexpected token", p.tokens[p.at].Start)
}

func (p *parser) expect(text string) error {
	if !p.skip(text) {
		return p.unexpected()
	}
	return nil
}

// expression is a conditional expression or what binds tighter.
func (p *parser) expression() (node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	defer func() { p.depth-- }()
	value, err := p.or()
	if err != nil || !p.skip("if") {
		return value, err
	}
	condition, err := p.or()
	if err != nil {
		return nil, err
	}
	if err := p.expect("else"); err != nil {
		return nil, err
	}
	other, err := p.expression()
	if err != nil {
		return nil, err
	}
	return func(names map[string]Value) (Value, error) {
		c, err := condition(names)
		if err != nil {
			return c, err
		}
		if truth(c) {
			return value(names)
		}
		return other(names)
	}, nil
}

func (p *parser) or() (node, error)  { return p.logic("or", p.and) }
func (p *parser) and() (node, error) { return p.logic("and", p.not) }

// logic is a chain of and, or of or: the first operand that decides is the value.
func (p *parser) logic(word string, operand func() (node, error)) (node, error) {
	left, err := operand()
	for err == nil && p.skip(word) {
		first := left
		var right node
		right, err = operand()
		left = func(names map[string]Value) (Value, error) {
			v, err := first(names)
			if err != nil || truth(v) == (word == "or") {
				return v, err
			}
			return right(names)
		}
	}
	return left, err
}

func (p *parser) not() (node, error) {
	negations := 0
	for p.skip("not") {
		negations++
	}
	operand, err := p.comparison()
	if err != nil || negations == 0 {
		return operand, err
	}
	return func(names map[string]Value) (Value, error) {
		v, err := operand(names)
		return boolean(truth(v) == (negations%2 == 0)), err
	}, nil
}

// comparison is a chain such as 65 <= age < 75.
func (p *parser) comparison() (node, error) {
	first, err := p.sum()
	if err != nil {
		return nil, err
	}
	var ops []string
	operands := []node{first}
	for {
		op := p.operator("<=", ">=", "==", "!=", "<", ">", "in", "is")
		if op == "" {
			break
		}
		if op == "is" && p.skip("not") {
			op = "is not"
		}
		n, err := p.sum()
		if err != nil {
			return nil, err
		}
		ops, operands = append(ops, op), append(operands, n)
	}
	if len(ops) == 0 {
		return first, nil
	}
	return func(names map[string]Value) (Value, error) {
		left, err := operands[0](names)
		if err != nil {
			return left, err
		}
		for i, op := range ops {
			right, err := operands[i+1](names)
			if err != nil {
				return right, err
			}
			ok, err := compare(op, left, right)
			if err != nil || !ok {
				return boolean(false), err
			}
			left = right
		}
		return boolean(true), nil
	}, nil
}

func (p *parser) sum() (node, error)     { return p.binary(p.product, "+", "-") }
func (p *parser) product() (node, error) { return p.binary(p.sign, "//", "*", "/", "%") }

func (p *parser) binary(operand func() (node, error), ops ...string) (node, error) {
	left, err := operand()
	for err == nil {
		op := p.operator(ops...)
		if op == "" {
			return left, nil
		}
		first := left
		var right node
		right, err = operand()
		left = func(names map[string]Value) (Value, error) {
			a, err := first(names)
			if err != nil {
				return a, err
			}
			b, err := right(names)
			if err != nil {
				return b, err
			}
			return arithmetic(op, a, b)
		}
	}
	return nil, err
}

// sign binds looser than a power: -2 ** 2 is -4.
func (p *parser) sign() (node, error) {
	minus := false
	for {
		op := p.operator("-", "+")
		if op == "" {
			break
		}
		minus = minus != (op == "-")
	}
	operand, err := p.power()
	if err != nil || !minus {
		return operand, err
	}
	return func(names map[string]Value) (Value, error) {
		v, err := operand(names)
		if err != nil {
			return v, err
		}
		return arithmetic("-", number(0), v)
	}, nil
}

func (p *parser) power() (node, error) {
	base, err := p.primary()
	if err != nil || p.operator("**") == "" {
		return base, err
	}
	if p.depth++; p.depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	defer func() { p.depth-- }()
	exponent, err := p.sign()
	if err != nil {
		return nil, err
	}
	return func(names map[string]Value) (Value, error) {
		a, err := base(names)
		if err != nil {
			return a, err
		}
		b, err := exponent(names)
		if err != nil {
			return b, err
		}
		return arithmetic("**", a, b)
	}, nil
}

// primary is an atom with its subscripts, attributes and calls.
func (p *parser) primary() (node, error) {
	n, err := p.atom()
	for err == nil {
		object := n
		switch {
		case p.skip("["):
			var key node
			if key, err = p.expression(); err == nil {
				err = p.expect("]")
			}
			n = func(names map[string]Value) (Value, error) {
				v, err := object(names)
				if err != nil {
					return v, err
				}
				k, err := key(names)
				if err != nil {
					return k, err
				}
				return subscript(v, k)
			}
		case p.skip("."):
			if err = p.expect("days"); err == nil {
				n = func(names map[string]Value) (Value, error) {
					v, err := object(names)
					if err == nil && v.Kind != Days {
						err = errors.New("only a timedelta has days")
					}
					return number(v.Number), err
				}
			}
		default:
			return n, nil
		}
	}
	return nil, err
}

func (p *parser) atom() (node, error) {
	switch {
	case p.end():
		return nil, p.unexpected()
	case p.skip("("):
		items, comma, err := p.list(")")
		if err != nil {
			return nil, err
		}
		if len(items) == 1 && !comma {
			return items[0], nil
		}
		return sequence(Tuple, items), nil
	case p.skip("["):
		items, _, err := p.list("]")
		if err != nil {
			return nil, err
		}
		return sequence(List, items), nil
	case p.skip("{"):
		return p.dict()
	}
	tok := p.next()
	switch tok.Kind {
	case pysrc.Number:
		x, err := strconv.ParseFloat(tok.Text, 64)
		if err != nil || !decimal.MatchString(tok.Text) {
			return nil, fmt.Errorf("byte %d: not a decimal number", tok.Start)
		}
		return constant(number(x)), nil
	case pysrc.String:
		texts, err := pysrc.StringList("[" + tok.Text + "]")
		if err != nil || len(texts) != 1 {
			return nil, fmt.Errorf("byte %d: not a plain string", tok.Start)
		}
		return constant(Value{Kind: Text, Text: texts[0]}), nil
	case pysrc.Name:
		if p.skip("(") {
			return p.call(tok)
		}
		return name(tok), nil
	}
	p.at--
	return nil, p.unexpected()
}

// decimal are Python's decimal numerals without underscores. It refuses 007.
var decimal = regexp.MustCompile(`^(0+|[1-9]\d*|\d+\.\d*|\.\d+)$|^(\d+\.?\d*|\.\d+)[eE][+-]?\d+$`)

func constant(v Value) node { return func(map[string]Value) (Value, error) { return v, nil } }

func name(tok pysrc.Token) node {
	switch tok.Text {
	case "True", "False":
		return constant(boolean(tok.Text == "True"))
	case "None":
		return constant(Value{})
	}
	return func(names map[string]Value) (Value, error) {
		v, ok := names[tok.Text]
		if !ok {
			return v, fmt.Errorf("byte %d: a name that is not set", tok.Start)
		}
		return v, nil
	}
}

// list reads expressions up to the closing bracket; comma says whether one came
// after any of them.
func (p *parser) list(closer string) (items []node, comma bool, err error) {
	for !p.skip(closer) {
		if len(items) > 0 {
			if err := p.expect(","); err != nil {
				return nil, false, err
			}
			comma = true
			if p.skip(closer) {
				break
			}
		}
		item, err := p.expression()
		if err != nil {
			return nil, false, err
		}
		items = append(items, item)
	}
	return items, comma, nil
}

func sequence(kind Kind, items []node) node {
	return func(names map[string]Value) (Value, error) {
		v := Value{Kind: kind}
		for _, item := range items {
			value, err := item(names)
			if err != nil {
				return v, err
			}
			v.Items = append(v.Items, value)
		}
		return v, nil
	}
}

// dict reads a dict whose keys are text.
func (p *parser) dict() (node, error) {
	var keys, values []node
	for !p.skip("}") {
		if len(keys) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
			if p.skip("}") {
				break
			}
		}
		key, err := p.expression()
		if err != nil {
			return nil, err
		}
		if err := p.expect(":"); err != nil {
			return nil, err
		}
		value, err := p.expression()
		if err != nil {
			return nil, err
		}
		keys, values = append(keys, key), append(values, value)
	}
	return func(names map[string]Value) (Value, error) {
		v := Value{Kind: Dict}
		for i := range keys {
			key, err := keys[i](names)
			if err != nil {
				return v, err
			}
			if key.Kind != Text {
				return v, errors.New("a key that is not text")
			}
			value, err := values[i](names)
			if err != nil {
				return v, err
			}
			v.Keys, v.Items = append(v.Keys, key.Text), append(v.Items, value)
		}
		return v, nil
	}, nil
}

// call reads the arguments of a function. The one keyword is timedelta's days.
func (p *parser) call(tok pysrc.Token) (node, error) {
	if tok.Text == "timedelta" && p.peek("days") {
		p.at++
		if err := p.expect("="); err != nil {
			return nil, err
		}
	}
	args, _, err := p.list(")")
	if err != nil {
		return nil, err
	}
	f, ok := functions[tok.Text]
	if !ok {
		return nil, fmt.Errorf("byte %d: an unknown function", tok.Start)
	}
	all := sequence(Tuple, args)
	return func(names map[string]Value) (Value, error) {
		v, err := all(names)
		if err != nil {
			return v, err
		}
		return f(v.Items)
	}, nil
}
