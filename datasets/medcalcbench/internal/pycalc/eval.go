package pycalc

import (
	"errors"
	"math"
	"strconv"
	"time"
)

var errOperands = errors.New("operands that do not go together")

func (v Value) numeric() bool { return v.Kind == Number || v.Kind == Bool }

func truth(v Value) bool {
	switch v.Kind {
	case Number, Bool, Days:
		return v.Number != 0
	case Text:
		return v.Text != ""
	case Tuple, List, Dict:
		return len(v.Items) > 0
	case Date:
		return true
	}
	return false
}

func equal(a, b Value) bool {
	switch {
	case a.numeric() && b.numeric():
		return a.Number == b.Number
	case a.Kind != b.Kind:
		return false
	case a.Kind == Text:
		return a.Text == b.Text
	case a.Kind == Date:
		return a.Date.Equal(b.Date)
	case a.Kind == Days:
		return a.Number == b.Number
	}
	return a.Kind == None
}

func compare(op string, a, b Value) (bool, error) {
	switch op {
	case "==":
		return equal(a, b), nil
	case "!=":
		return !equal(a, b), nil
	case "is", "is not": // of None alone: identity of other values is no formula's business
		if b.Kind != None {
			return false, errOperands
		}
		return (a.Kind == None) == (op == "is"), nil
	case "in":
		if b.Kind != Tuple && b.Kind != List {
			return false, errOperands
		}
		for _, item := range b.Items {
			if equal(a, item) {
				return true, nil
			}
		}
		return false, nil
	}
	if !a.numeric() || !b.numeric() {
		return false, errOperands
	}
	x, y := a.Number, b.Number
	return op == "<" && x < y || op == "<=" && x <= y || op == ">" && x > y || op == ">=" && x >= y, nil
}

func arithmetic(op string, a, b Value) (Value, error) {
	if a.Kind == Date || a.Kind == Days || b.Kind == Days {
		return calendar(op, a, b)
	}
	if !a.numeric() || !b.numeric() {
		return Value{}, errOperands
	}
	x, y := a.Number, b.Number
	switch op {
	case "+":
		return finite(x + y)
	case "-":
		return finite(x - y)
	case "*":
		return finite(x * y)
	case "/":
		return finite(x / y)
	case "//":
		return finite(math.Floor(x / y))
	case "%":
		return finite(x - y*math.Floor(x/y))
	case "**":
		return finite(math.Pow(x, y))
	}
	return Value{}, errOperands
}

// maxDays keeps dates inside Python's calendar, and far from overflow.
const maxDays = 1e6

func calendar(op string, a, b Value) (Value, error) {
	switch {
	case a.Kind == Date && b.Kind == Date && op == "-":
		return Value{Kind: Days, Number: math.Round(a.Date.Sub(b.Date).Hours() / 24)}, nil
	case a.Kind == Date && b.Kind == Days && (op == "+" || op == "-"):
		days := int(b.Number)
		if op == "-" {
			days = -days
		}
		day := a.Date.AddDate(0, 0, days)
		if day.Year() < 1 || day.Year() > 9999 {
			return Value{}, errors.New("a date outside the calendar")
		}
		return Value{Kind: Date, Date: day}, nil
	}
	return Value{}, errOperands
}

// finite turns what Python raises (a division by zero, a power that is complex,
// an overflow) into an error.
func finite(x float64) (Value, error) {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return Value{}, errors.New("a result that is not finite")
	}
	return number(x), nil
}

func subscript(v, key Value) (Value, error) {
	switch {
	case v.Kind == Dict && key.Kind == Text:
		if item, ok := v.Get(key.Text); ok {
			return item, nil
		}
		return Value{}, errors.New("a key that is not there")
	case (v.Kind == Tuple || v.Kind == List) && key.numeric():
		i := key.Number
		if i < 0 || i >= float64(len(v.Items)) || i != math.Trunc(i) {
			return Value{}, errors.New("an index that is not there")
		}
		return v.Items[int(i)], nil
	}
	return Value{}, errOperands
}

// functions are the callable names, with those of math and datetime.
var functions = map[string]func(args []Value) (Value, error){
	"abs":   unary(math.Abs),
	"exp":   unary(math.Exp),
	"log":   unary(math.Log),
	"sqrt":  unary(math.Sqrt),
	"floor": unary(math.Floor),
	"min":   fold(math.Min),
	"max":   fold(math.Max),
	"round": round,
	"date":  date,
	"timedelta": func(args []Value) (Value, error) {
		if len(args) != 1 || !args[0].numeric() || args[0].Number != math.Trunc(args[0].Number) || math.Abs(args[0].Number) > maxDays {
			return Value{}, errOperands
		}
		return Value{Kind: Days, Number: args[0].Number}, nil
	},
}

func unary(f func(float64) float64) func([]Value) (Value, error) {
	return func(args []Value) (Value, error) {
		if len(args) != 1 || !args[0].numeric() {
			return Value{}, errOperands
		}
		return finite(f(args[0].Number))
	}
}

func fold(f func(a, b float64) float64) func([]Value) (Value, error) {
	return func(args []Value) (Value, error) {
		if len(args) < 2 {
			return Value{}, errOperands
		}
		out := args[0].Number
		for _, arg := range args {
			if !arg.numeric() {
				return Value{}, errOperands
			}
			out = f(out, arg.Number)
		}
		return finite(out)
	}
}

// round is Python's: the nearest decimal of the binary value, ties to even.
func round(args []Value) (Value, error) {
	digits := 0.0
	if len(args) == 2 && args[1].numeric() {
		digits = args[1].Number
	}
	if len(args) < 1 || len(args) > 2 || !args[0].numeric() || digits < 0 || digits > 15 || digits != math.Trunc(digits) {
		return Value{}, errOperands
	}
	x, err := strconv.ParseFloat(strconv.FormatFloat(args[0].Number, 'f', int(digits), 64), 64)
	if err != nil {
		return Value{}, errOperands
	}
	return finite(x)
}

func date(args []Value) (Value, error) {
	if len(args) != 3 {
		return Value{}, errOperands
	}
	var part [3]int
	for i, arg := range args {
		if !arg.numeric() || arg.Number != math.Trunc(arg.Number) || arg.Number < 1 || arg.Number > 9999 {
			return Value{}, errors.New("a date that is not in the calendar")
		}
		part[i] = int(arg.Number)
	}
	day := time.Date(part[0], time.Month(part[1]), part[2], 0, 0, 0, 0, time.UTC)
	if day.Year() != part[0] || int(day.Month()) != part[1] || day.Day() != part[2] {
		return Value{}, errors.New("a date that is not in the calendar")
	}
	return Value{Kind: Date, Date: day}, nil
}
