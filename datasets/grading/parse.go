package grading

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"regexp"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/medgym-data/medgym-data/datasets"
)

// Limits of what Parse reads. An encoder stays below them; a forged value may not.
const (
	MaxBytes = 64 << 20
	MaxDepth = 64 // Python containers inside one another
	// maxLevels is MaxDepth in brackets: one level of a dict or frame takes three.
	maxLevels = 3*MaxDepth + 3
	// maxValues bounds what a value takes in memory, where each of its parts takes
	// more than the two bytes that it may have in JSON.
	maxValues = 1 << 22
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
	p := &parser{dec: jsontext.NewDecoder(bytes.NewReader(raw))}
	v, err := p.value(0)
	if err != nil {
		return Value{}, fmt.Errorf("plain value: %w", err)
	}
	if _, err := p.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return Value{}, errors.New("plain value: data after the value")
	}
	return v, nil
}

// parser reads a value in one pass, so that nothing costs more than its length.
type parser struct {
	dec    *jsontext.Decoder
	values int // read so far
}

func (p *parser) value(depth int) (Value, error) {
	if p.values++; p.values > maxValues {
		return Value{}, fmt.Errorf("more than %d values", maxValues)
	}
	switch kind := p.dec.PeekKind(); {
	case kind != '[' && kind != '{':
	case depth > maxLevels:
		return Value{}, fmt.Errorf("deeper than %d levels", MaxDepth)
	case kind == '[':
		items, err := p.items(depth)
		return Value{Kind: List, Items: items}, err
	default:
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

func (p *parser) items(depth int) ([]Value, error) {
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

// fields are the members of a tagged object. Their order is free.
type fields struct {
	tag, v, dtype, shape, name, names, index, columns, dtypes, typ, why Value

	attrs []Pair
	named bool // attrs was there
}

// of is the place of a member; nil for one that the codec does not have.
func (f *fields) of(name string) *Value {
	switch name {
	case "$":
		return &f.tag
	case "v":
		return &f.v
	case "dtype":
		return &f.dtype
	case "shape":
		return &f.shape
	case "name":
		return &f.name
	case "names":
		return &f.names
	case "index":
		return &f.index
	case "columns":
		return &f.columns
	case "dtypes":
		return &f.dtypes
	case "type":
		return &f.typ
	case "why":
		return &f.why
	}
	return nil
}

func (p *parser) tagged(depth int) (Value, error) {
	var f fields
	err := p.members(func(name string) (err error) {
		if name == "attrs" {
			f.named = true
			f.attrs, err = p.attributes(depth)
			return err
		}
		place := f.of(name)
		if place == nil {
			return errors.New("tagged object with an unknown member")
		}
		*place, err = p.value(depth + 1)
		return err
	})
	if err != nil {
		return Value{}, err
	}
	if f.tag.Kind != Text {
		return Value{}, errors.New(`object without a tag "$"`)
	}
	return f.value()
}

// members reads an object, the value of each member by read.
func (p *parser) members(read func(name string) error) error {
	if _, err := p.dec.ReadToken(); err != nil {
		return badJSON(err)
	}
	for p.dec.PeekKind() == '"' {
		name, err := p.dec.ReadToken()
		if err != nil {
			return badJSON(err)
		}
		if err := read(name.String()); err != nil {
			return err
		}
	}
	if _, err := p.dec.ReadToken(); err != nil { // the end of the object, or not
		return badJSON(err)
	}
	return nil
}

// attributes keeps the order in which the encoder read them.
func (p *parser) attributes(depth int) ([]Pair, error) {
	if p.dec.PeekKind() != '{' {
		return nil, errors.New("attributes that are no object")
	}
	var pairs []Pair
	err := p.members(func(name string) error {
		v, err := p.value(depth + 1)
		pairs = append(pairs, Pair{Value{Kind: Text, Text: name}, v})
		return err
	})
	return pairs, err
}

var (
	timeForm    = regexp.MustCompile(`^[0-9T:.+-]{5,64}$`)
	decimalForm = regexp.MustCompile(`^-?(\d+(\.\d+)?(E[+-]?\d+)?|s?NaN\d*|Infinity)$`)
)

// value makes a value of the members, if they are those of its kind.
func (f *fields) value() (Value, error) {
	v := Value{Kind: Kind(f.tag.Text)}
	var err error
	switch v.Kind {
	case Float:
		known := false
		if v.Float, known = infinite[f.v.Text]; !known {
			return v, errors.New("float that is not nan, inf or -inf")
		}
	case Int:
		return integer(f.v.Text)
	case Tuple:
		v.Items, err = f.list()
	case Set:
		if v.Items, err = f.list(); err == nil {
			err = distinct(len(v.Items), func(i int) Value { return v.Items[i] })
		}
	case Dict:
		v.Pairs, err = f.pairs()
	case Bytes:
		if v.Bytes, err = base64.StdEncoding.DecodeString(f.v.Text); err != nil || f.v.Kind != Text {
			return v, errors.New("bytes that are not base64")
		}
	case DateTime, Date, Time:
		if v.Text = f.v.Text; !timeForm.MatchString(v.Text) {
			return v, errors.New("a date or time that is not in its form")
		}
	case Timedelta:
		known := false
		if v.Float, known = f.v.Number(); !known || f.v.Kind != Float && f.v.Kind != Int {
			return v, errors.New("timedelta that is not a number")
		}
	case NaT:
	case Decimal:
		if v.Text = f.v.Text; len(v.Text) > maxDigits || !decimalForm.MatchString(v.Text) {
			return v, errors.New("decimal that is not in its form")
		}
	case Complex:
		v.Items, err = f.list()
		if err == nil && (len(v.Items) != 2 || v.Items[0].Kind != Float || v.Items[1].Kind != Float) {
			err = errors.New("complex that is not two floats")
		}
	case Array:
		err = f.array(&v)
	case Index:
		err = f.labels(&v)
	case Series:
		err = f.series(&v)
	case Frame:
		err = f.frame(&v)
	case Object:
		v.Text, v.Pairs = f.typ.Text, f.attrs
		if !f.named {
			err = errors.New("object without attributes")
		}
	case Opaque:
		v.Text, v.Why = f.typ.Text, f.why.Text
	default:
		return Value{}, errors.New(`object with an unknown tag "$"`)
	}
	return v, err
}

// infinite are the floats that JSON has no numbers for.
var infinite = map[string]float64{"nan": math.NaN(), "inf": math.Inf(1), "-inf": math.Inf(-1)}

func (f *fields) list() ([]Value, error) {
	if f.v.Kind != List {
		return nil, errors.New("tagged object without its list")
	}
	return f.v.Items, nil
}

func (f *fields) pairs() ([]Pair, error) {
	entries, err := f.list()
	pairs := make([]Pair, len(entries))
	for i, entry := range entries {
		if entry.Kind != List || len(entry.Items) != 2 {
			return nil, errors.New("dict entry that is not a key and a value")
		}
		pairs[i] = Pair{entry.Items[0], entry.Items[1]}
	}
	if err == nil {
		err = distinct(len(pairs), func(i int) Value { return pairs[i].Key })
	}
	return pairs, err
}

// distinct refuses what no dict or set of Python holds: keys that have no hash,
// and keys that are equal. Keys of a class of the program's own may be both.
func distinct(n int, key func(i int) Value) error {
	seen := make(map[string]bool, n)
	for i := range n {
		v := key(i)
		if !hashable(v) {
			return errors.New("a key or an item of a set that has no hash")
		}
		if name := keyName(v); name != "" {
			if seen[name] {
				return errors.New("a key or an item of a set that is there twice")
			}
			seen[name] = true
		}
	}
	return nil
}

func hashable(v Value) bool {
	switch v.Kind {
	case List, Dict, Array, Index, Series, Frame:
		return false
	case Tuple:
		return !slices.ContainsFunc(v.Items, func(item Value) bool { return !hashable(item) })
	}
	return true
}

// keyName is the same for keys that Python takes for equal, True, 1 and 1.0 among
// them; empty for keys that are not looked at.
func keyName(v Value) string {
	switch v.Kind {
	case Text:
		return "t" + v.Text
	case Bytes:
		return "b" + string(v.Bytes)
	case Bool:
		if v.Bool {
			return "n1"
		}
		return "n0"
	case Int:
		return "n" + v.Int.String()
	case Float:
		if n, ok := v.Integer(); ok {
			return "n" + n.String()
		}
		if !math.IsNaN(v.Float) {
			return "f" + strconv.FormatFloat(v.Float, 'g', -1, 64)
		}
	}
	return ""
}

func (f *fields) array(v *Value) (err error) {
	v.Dtype = f.dtype.Text
	if v.Items, err = f.list(); err != nil {
		return err
	}
	if f.shape.Kind != List {
		return errors.New("ndarray without a shape")
	}
	v.Shape = make([]int, len(f.shape.Items))
	size := 1
	for i, n := range f.shape.Items {
		if n.Kind != Int || n.Int.Sign() < 0 || n.Int.BitLen() > 31 || size > maxValues {
			return errors.New("ndarray with an impossible shape")
		}
		v.Shape[i] = int(n.Int.Int64())
		size *= v.Shape[i]
	}
	if size != len(v.Items) {
		return errors.New("ndarray whose shape is not that of its values")
	}
	return nil
}

func (f *fields) labels(v *Value) (err error) {
	v.Dtype, v.Name = f.dtype.Text, f.label()
	if v.Items, err = f.list(); err != nil || f.names.Kind == "" {
		return err
	}
	v.Names = f.names.Items
	for _, item := range v.Items {
		if item.Kind != Opaque && (item.Kind != Tuple || len(item.Items) != len(v.Names)) {
			return errors.New("an index whose items are not as many as its names")
		}
	}
	return nil
}

// label is the name, which may be absent.
func (f *fields) label() *Value {
	if f.name.Kind == "" || f.name.Kind == Null {
		return nil
	}
	name := f.name
	return &name
}

var errIndex = errors.New("an index that does not fit its values")

func (f *fields) series(v *Value) (err error) {
	index := f.index
	v.Dtype, v.Name, v.Index = f.dtype.Text, f.label(), &index
	if v.Items, err = f.list(); err != nil {
		return err
	}
	if f.index.Kind != Index || len(f.index.Items) != len(v.Items) {
		return errIndex
	}
	return nil
}

func (f *fields) frame(v *Value) error {
	columns, err := f.list()
	if err != nil {
		return err
	}
	if f.columns.Kind != Index || len(f.columns.Items) != len(columns) || f.index.Kind != Index {
		return errIndex
	}
	index := f.index
	v.Index, v.Table = &index, &Columns{Labels: f.columns}
	for _, dtype := range f.dtypes.Items {
		v.Table.Dtypes = append(v.Table.Dtypes, dtype.Text)
	}
	if len(v.Table.Dtypes) != len(columns) {
		return errors.New("frame whose dtypes are not one a column")
	}
	for _, column := range columns {
		if column.Kind != List || len(column.Items) != len(f.index.Items) {
			return errIndex
		}
		v.Table.Values = append(v.Table.Values, column.Items)
	}
	return nil
}
