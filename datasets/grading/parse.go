package grading

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/medgym-data/medgym-data/datasets"
)

// Limits of what Parse reads. An encoder stays below them; a forged value may not.
const (
	MaxBytes = 64 << 20
	MaxDepth = 64 // Python containers inside one another
	// maxLevels is MaxDepth in brackets: one level of a dict or frame takes three.
	maxLevels = 3*MaxDepth + 3
	// maxDigits bounds integers and decimals: arithmetic on them is quadratic.
	maxDigits = 4300
)

// ErrNotSet is returned for a value that was never set.
var ErrNotSet = errors.New("not set")

// Parse reads a value in the plain codec. An error says what is wrong and never
// quotes the value. ErrNotSet is returned for an empty raw.
func Parse(raw datasets.RawValue) (Value, error) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return Value{}, ErrNotSet
	}
	if len(raw) > MaxBytes {
		return Value{}, fmt.Errorf("plain value: %d bytes, the limit is %d", len(raw), MaxBytes)
	}
	p := parser{dec: jsontext.NewDecoder(bytes.NewReader(raw))}
	v, err := p.value(0)
	if err != nil {
		return Value{}, fmt.Errorf("plain value: %w", err)
	}
	if _, err := p.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return Value{}, errors.New("plain value: data after the value")
	}
	return v, nil
}

type parser struct{ dec *jsontext.Decoder }

func (p parser) value(depth int) (Value, error) {
	if depth > maxLevels {
		return Value{}, fmt.Errorf("deeper than %d levels", MaxDepth)
	}
	switch p.dec.PeekKind() {
	case '[':
		items, err := p.items(depth)
		return Value{Kind: List, Items: items}, err
	case '{':
		return p.tagged(depth)
	}
	tok, err := p.dec.ReadToken()
	if err != nil {
		return Value{}, badJSON(err)
	}
	switch tok.Kind() {
	case 'n':
		return Value{Kind: Null}, nil
	case 't', 'f':
		return Value{Kind: Bool, Bool: tok.Bool()}, nil
	case '"':
		return Value{Kind: Text, Text: tok.String()}, nil
	case '0':
		return number(tok.String())
	}
	return Value{}, errors.New("unexpected end")
}

// badJSON keeps the position and drops the text that a decoder quotes.
func badJSON(err error) error {
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		return fmt.Errorf("not valid JSON at byte %d", syntactic.ByteOffset)
	}
	return errors.New("not valid JSON")
}

// number keeps integers exact and tells them from floats by their form.
func number(text string) (Value, error) {
	if isDigits(text) {
		return integer(text)
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return Value{}, errors.New("number out of range")
	}
	return Value{Kind: Float, Float: f}, nil
}

func integer(text string) (Value, error) {
	if len(text) > maxDigits {
		return Value{}, fmt.Errorf("integer of more than %d digits", maxDigits)
	}
	if !isDigits(text) {
		return Value{}, errors.New("integer with other than digits")
	}
	n, ok := new(big.Int).SetString(text, 10)
	if !ok {
		return Value{}, errors.New("not an integer")
	}
	return Value{Kind: Int, Int: n}, nil
}

// isDigits reports whether text is digits with at most a minus before them.
func isDigits(text string) bool {
	if text != "" && text[0] == '-' {
		text = text[1:]
	}
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return text != ""
}

func (p parser) items(depth int) ([]Value, error) {
	if p.dec.PeekKind() != '[' {
		return nil, errors.New("a list is missing")
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return nil, badJSON(err)
	}
	var items []Value
	for p.dec.PeekKind() != ']' {
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		items = append(items, v)
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return nil, badJSON(err)
	}
	return items, nil
}

// fields are the members of a tagged object, undecoded. Their order is free.
type fields struct {
	Tag     string         `json:"$"`
	V       jsontext.Value `json:"v"`
	Dtype   string         `json:"dtype"`
	Shape   []int          `json:"shape"`
	Name    jsontext.Value `json:"name"`
	Names   jsontext.Value `json:"names"`
	Index   jsontext.Value `json:"index"`
	Columns jsontext.Value `json:"columns"`
	Dtypes  []string       `json:"dtypes"`
	Type    string         `json:"type"`
	Attrs   jsontext.Value `json:"attrs"`
	Why     string         `json:"why"`
	More    jsontext.Value `json:",unknown"`
}

func (p parser) tagged(depth int) (Value, error) {
	raw, err := p.dec.ReadValue()
	if err != nil {
		return Value{}, badJSON(err)
	}
	var f fields
	if err := json.Unmarshal(raw, &f); err != nil {
		return Value{}, errors.New("tagged object with a member of the wrong type")
	}
	v := Value{Kind: Kind(f.Tag), Dtype: f.Dtype}
	switch v.Kind {
	case Float:
		text, err := f.text()
		v.Float = map[string]float64{"nan": math.NaN(), "inf": math.Inf(1), "-inf": math.Inf(-1)}[text]
		if err == nil && v.Float == 0 {
			err = errors.New("float that is not nan, inf or -inf")
		}
		return v, err
	case Int:
		text, err := f.text()
		if err != nil {
			return v, err
		}
		return integer(text)
	case Tuple, Set:
		v.Items, err = list(f.V, depth)
		return v, err
	case Dict:
		return dict(f, depth)
	case Bytes:
		text, err := f.text()
		if err == nil {
			v.Bytes, err = base64.StdEncoding.DecodeString(text)
		}
		if err != nil {
			return v, errors.New("bytes that are not base64")
		}
		return v, nil
	case DateTime, Date, Time:
		v.Text, err = f.text()
		return v, err
	case Timedelta:
		seconds, err := one(f.V, depth)
		switch {
		case err != nil:
			return v, err
		case seconds.Kind == Float:
			v.Float = seconds.Float
		case seconds.Kind == Int:
			v.Float, _ = new(big.Float).SetInt(seconds.Int).Float64()
		default:
			return v, errors.New("timedelta that is not a number")
		}
		return v, nil
	case NaT:
		return v, nil
	case Decimal:
		v.Text, err = f.text()
		if err == nil && len(v.Text) > maxDigits {
			err = fmt.Errorf("decimal of more than %d digits", maxDigits)
		}
		return v, err
	case Complex:
		v.Items, err = list(f.V, depth)
		if err == nil && (len(v.Items) != 2 || v.Items[0].Kind != Float || v.Items[1].Kind != Float) {
			err = errors.New("complex that is not two floats")
		}
		return v, err
	case Array:
		return array(f, depth)
	case Index:
		return index(f, depth)
	case Series:
		return series(f, depth)
	case Frame:
		return frame(f, depth)
	case Object:
		v.Text = f.Type
		v.Pairs, err = attributes(f.Attrs, depth)
		return v, err
	case Opaque:
		v.Text, v.Why = f.Type, f.Why
		return v, nil
	}
	return Value{}, errors.New(`object without a known tag "$"`)
}

func (f fields) text() (string, error) {
	var text string
	if f.V.Kind() != '"' || json.Unmarshal(f.V, &text) != nil {
		return "", fmt.Errorf("%s without its text", f.Tag)
	}
	return text, nil
}

// one parses a member that is one level below a tagged object.
func one(raw jsontext.Value, depth int) (Value, error) {
	if len(raw) == 0 {
		return Value{}, errors.New("tagged object that lacks a member")
	}
	return parser{jsontext.NewDecoder(bytes.NewReader(raw))}.value(depth + 1)
}

func list(raw jsontext.Value, depth int) ([]Value, error) {
	v, err := one(raw, depth)
	if err == nil && v.Kind != List {
		err = errors.New("a list is missing")
	}
	return v.Items, err
}

func dict(f fields, depth int) (Value, error) {
	entries, err := list(f.V, depth)
	v := Value{Kind: Dict}
	for _, entry := range entries {
		if entry.Kind != List || len(entry.Items) != 2 {
			return v, errors.New("dict entry that is not a key and a value")
		}
		v.Pairs = append(v.Pairs, Pair{entry.Items[0], entry.Items[1]})
	}
	return v, err
}

// attributes keeps the order in which the encoder read them.
func attributes(raw jsontext.Value, depth int) ([]Pair, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(raw))
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '{' {
		return nil, errors.New("object without attributes")
	}
	var pairs []Pair
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, badJSON(err)
		}
		key := Value{Kind: Text, Text: name.String()}
		v, err := parser{dec}.value(depth + 1)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, Pair{key, v})
	}
	return pairs, nil
}

func array(f fields, depth int) (Value, error) {
	v := Value{Kind: Array, Dtype: f.Dtype, Shape: f.Shape}
	items, err := list(f.V, depth)
	if err != nil {
		return v, err
	}
	v.Items = items
	size := 1
	for _, n := range f.Shape {
		if n < 0 || n > MaxBytes || size > MaxBytes {
			return v, errors.New("ndarray with an impossible shape")
		}
		size *= n
	}
	if size != len(items) {
		return v, errors.New("ndarray whose shape is not that of its values")
	}
	return v, nil
}

func index(f fields, depth int) (Value, error) {
	v := Value{Kind: Index, Dtype: f.Dtype}
	var err error
	if v.Items, err = list(f.V, depth); err != nil {
		return v, err
	}
	if len(f.Names) > 0 {
		if v.Names, err = list(f.Names, depth); err != nil {
			return v, err
		}
	}
	v.Name, err = label(f.Name, depth)
	return v, err
}

// label is a name that may be absent.
func label(raw jsontext.Value, depth int) (*Value, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	v, err := one(raw, depth)
	if err != nil || v.Kind == Null {
		return nil, err
	}
	return &v, nil
}

func series(f fields, depth int) (Value, error) {
	v := Value{Kind: Series, Dtype: f.Dtype}
	var err error
	if v.Items, err = list(f.V, depth); err != nil {
		return v, err
	}
	if v.Name, err = label(f.Name, depth); err != nil {
		return v, err
	}
	v.Index, err = indexOf(f.Index, len(v.Items), depth)
	return v, err
}

func indexOf(raw jsontext.Value, size, depth int) (*Value, error) {
	v, err := one(raw, depth)
	if err != nil {
		return nil, err
	}
	if v.Kind != Index || len(v.Items) != size {
		return nil, errors.New("an index that does not fit its values")
	}
	return &v, nil
}

func frame(f fields, depth int) (Value, error) {
	v := Value{Kind: Frame}
	columns, err := list(f.V, depth)
	if err != nil {
		return v, err
	}
	labels, err := indexOf(f.Columns, len(columns), depth)
	if err != nil {
		return v, err
	}
	if len(f.Dtypes) != len(columns) {
		return v, errors.New("frame whose dtypes are not one a column")
	}
	rows, err := one(f.Index, depth)
	if err != nil {
		return v, err
	}
	v.Table = &Columns{Labels: *labels, Dtypes: f.Dtypes}
	for _, column := range columns {
		if rows.Kind != Index || column.Kind != List || len(column.Items) != len(rows.Items) {
			return v, errors.New("frame whose columns do not fit its index")
		}
		v.Table.Values = append(v.Table.Values, column.Items)
	}
	v.Index = &rows
	return v, nil
}
