// Package grading reads what crossed out of a sandbox and compares it.
//
// # Plain codec
//
// A Python value leaves the sandbox as JSON. None, booleans, integers and text
// are themselves; a finite float is a JSON number that always has a '.' or an
// exponent, so 12.0 and 12 stay apart; everything else is an object whose key
// "$" names its kind:
//
//	{"$":"float","v":"nan"}                  nan, inf, -inf
//	{"$":"int","v":"<digits>"}               integers beyond 2^53
//	{"$":"tuple","v":[..]} {"$":"set","v":[..]} {"$":"dict","v":[[k,v],..]}
//	{"$":"bytes","v":"<base64>"} {"$":"decimal","v":"1.50"} {"$":"complex","v":[re,im]}
//	{"$":"datetime","v":iso} {"$":"date","v":iso} {"$":"time","v":iso}
//	{"$":"timedelta","v":seconds} {"$":"nat"}
//	{"$":"ndarray","dtype":..,"shape":[..],"v":[flat]}
//	{"$":"index","dtype":..,"name":..,"v":[..]}  (a MultiIndex has "names" and tuples)
//	{"$":"series","dtype":..,"name":..,"index":{..},"v":[..]}
//	{"$":"frame","columns":{..},"index":{..},"dtypes":[..],"v":[[column],..]}
//	{"$":"object","type":..,"attrs":{..}} {"$":"opaque","type":..,"why":..}
//
// Arrays of pandas (Categorical, Int64, ...) cross as ndarray with the dtype that
// pandas names, masked values as null, subclasses of built-in types as what the
// built-in part of them holds.
//
// The encoder runs beside code that a model wrote, so Parse trusts nothing: it
// bounds size and depth, checks every shape, and refuses what it does not know and
// what Python cannot hold, a dict with the same key twice.
// A value that Parse refuses is a wrong answer, not a fault of the grader.
//
// # Comparison
//
// Null, NaN, NaT and empty text or containers never equal anything, zero least
// of all. A boolean is not a number where a number is asked. Text may stand for
// a number, a date or a duration only where the whole text, apart from space
// around it, is just that: "25.2" is 25.2, "the answer is 25.2", "25.2 mg" and
// "1,024" are not numbers.
package grading

import (
	"math"
	"math/big"
	"strings"
)

// Kind says which form of Value holds.
type Kind string

// The kinds of values, by the codec's names.
const (
	Null      Kind = "null"
	Bool      Kind = "bool"
	Int       Kind = "int"
	Float     Kind = "float"
	Text      Kind = "text"
	List      Kind = "list"
	Tuple     Kind = "tuple"
	Set       Kind = "set"
	Dict      Kind = "dict"
	Bytes     Kind = "bytes"
	DateTime  Kind = "datetime"
	Date      Kind = "date"
	Time      Kind = "time"
	Timedelta Kind = "timedelta"
	NaT       Kind = "nat"
	Decimal   Kind = "decimal"
	Complex   Kind = "complex"
	Array     Kind = "ndarray"
	Index     Kind = "index"
	Series    Kind = "series"
	Frame     Kind = "frame"
	Object    Kind = "object"
	Opaque    Kind = "opaque"
)

// Value is a Python value, parsed. Which fields hold depends on Kind.
type Value struct {
	Kind  Kind
	Bool  bool     // Bool
	Int   *big.Int // Int
	Float float64  // Float; Timedelta: seconds
	Text  string   // Text; DateTime, Date, Time: ISO 8601; Decimal: as printed; Object, Opaque: type
	Bytes []byte   // Bytes
	Items []Value  // List, Tuple, Set, Array (flat, C order), Index, Series; Complex: real, imaginary
	Pairs []Pair   // Dict, in order; Object: attributes by name

	Dtype string   // Array, Index, Series
	Shape []int    // Array
	Name  *Value   // Index, Series; nil for none
	Names []Value  // names of a MultiIndex
	Index *Value   // Series, Frame: their Index
	Table *Columns // Frame
	Why   string   // Opaque: too_large, ...
}

// Pair is one entry of a Dict, or one attribute of an Object.
type Pair struct{ Key, Value Value }

// Columns is the content of a Frame. Labels and Dtypes are as long as Values,
// and each column is as long as the frame's index.
type Columns struct {
	Labels Value // an Index
	Dtypes []string
	Values [][]Value
}

// Empty reports whether v says nothing: null, NaN, NaT, text of space only, or a
// container with nothing in it. Such a value equals nothing.
func (v Value) Empty() bool {
	switch v = v.scalar(); v.Kind {
	case Null, NaT, Opaque, "":
		return true
	case Float:
		return math.IsNaN(v.Float)
	case Text:
		return trim(v.Text) == ""
	case Decimal:
		return strings.Contains(v.Text, "NaN")
	case Bytes:
		return trim(string(v.Bytes)) == ""
	case List, Tuple, Set, Array, Index, Series:
		return len(v.Items) == 0
	case Dict:
		return len(v.Pairs) == 0
	case Frame:
		return v.Table == nil || len(v.Table.Values) == 0 || len(v.Table.Values[0]) == 0
	}
	return false
}

// scalar unwraps an array of no dimensions, which is numpy's scalar.
func (v Value) scalar() Value {
	for v.Kind == Array && len(v.Shape) == 0 && len(v.Items) == 1 {
		v = v.Items[0]
	}
	return v
}
