package grading

import (
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// Tolerance is the relative error that numbers may have.
const Tolerance = 1e-6

// maxExponent keeps 1e999999999 from being expanded into its digits.
const maxExponent = 400

var numeral = regexp.MustCompile(`^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?$`)

func trim(s string) string { return strings.TrimSpace(s) }

// Number is the finite number that v says: an integer, a float, a Decimal, or
// text that is a decimal numeral and nothing more. A boolean is none.
func (v Value) Number() (float64, bool) {
	switch v = v.scalar(); v.Kind {
	case Int:
		f, _ := new(big.Float).SetInt(v.Int).Float64()
		return f, !math.IsInf(f, 0)
	case Float:
		return v.Float, !math.IsNaN(v.Float) && !math.IsInf(v.Float, 0)
	case Decimal, Text:
		return parseNumber(v.Text)
	}
	return 0, false
}

func parseNumber(text string) (float64, bool) {
	text = trim(text)
	if len(text) > maxDigits || !numeral.MatchString(text) {
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil
}

// Integer is the integer that v says: an integer, or another number whose value
// is integral: 4, 4.0, Decimal("4"), "4", "4.0". A boolean is none.
func (v Value) Integer() (*big.Int, bool) {
	switch v = v.scalar(); v.Kind {
	case Int:
		return v.Int, true
	case Float:
		if math.IsNaN(v.Float) || math.IsInf(v.Float, 0) || v.Float != math.Trunc(v.Float) {
			return nil, false
		}
		n, _ := big.NewFloat(v.Float).Int(nil)
		return n, true
	case Decimal, Text:
		text := strings.TrimPrefix(trim(v.Text), "+")
		if isDigits(text) && len(text) <= maxDigits {
			n, ok := new(big.Int).SetString(text, 10)
			return n, ok
		}
		if f, ok := parseNumber(text); !ok || f != math.Trunc(f) || math.Abs(f) > math.Pow10(maxExponent/2) {
			return nil, false
		}
		_, exponent, found := strings.Cut(strings.ToLower(text), "e")
		if n, err := strconv.Atoi(exponent); found && (err != nil || n > maxExponent || n < -maxExponent) {
			return nil, false
		}
		r, ok := new(big.Rat).SetString(text)
		if !ok || !r.IsInt() {
			return nil, false
		}
		return r.Num(), true
	}
	return nil, false
}

// Boolean is the truth value that v says: a boolean, or the text true or false
// in any case. A number is none.
func (v Value) Boolean() (truth, ok bool) {
	switch v = v.scalar(); v.Kind {
	case Bool:
		return v.Bool, true
	case Text:
		switch strings.ToLower(trim(v.Text)) {
		case "true":
			return true, true
		case "false":
			return false, true
		}
	}
	return false, false
}

// Near reports whether two finite numbers are equal to a relative error.
// Nothing but zero is near zero.
func Near(a, b, relative float64) bool {
	if math.IsNaN(a) || math.IsNaN(b) || math.IsInf(a, 0) || math.IsInf(b, 0) {
		return false
	}
	return a == b || math.Abs(a-b) <= relative*math.Max(math.Abs(a), math.Abs(b))
}

// Within reports whether x lies in [lower, upper]. Bounds are written in decimal
// and x is computed in binary, so a bound may be missed by one part in 1e9, or
// by 1e-9 around zero. A pair of bounds that is no interval holds nothing.
func Within(x, lower, upper float64) bool {
	slack := func(bound float64) float64 { return 1e-9 * math.Max(1, math.Abs(bound)) }
	return !math.IsInf(x, 0) && lower <= upper && x >= lower-slack(lower) && x <= upper+slack(upper)
}
