package grading

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Print is what Python's print would write of v, without the newline. It is
// exact for scalars and for lists, tuples and dicts of them. A set is written in
// the codec's order, an array of one dimension on one line. Values whose text is
// laid out by a library (frames, series, wide arrays) or by a class of their own
// come as their type's name in angle brackets: no grader of the release reads a
// right answer out of those.
func Print(v Value) string {
	if v = v.scalar(); v.Kind == Text {
		return v.Text
	}
	var p printer
	p.value(v, false)
	return p.String()
}

// repr is what Python's repr would write of v.
func repr(v Value) string {
	var p printer
	p.value(v, true)
	return p.String()
}

type printer struct{ strings.Builder }

func (p *printer) value(v Value, nested bool) {
	switch v = v.scalar(); v.Kind {
	case List:
		p.items("[", v.Items, "]")
	case Tuple:
		end := ")"
		if len(v.Items) == 1 {
			end = ",)"
		}
		p.items("(", v.Items, end)
	case Set:
		if len(v.Items) == 0 {
			p.WriteString("set()")
			return
		}
		p.items("{", v.Items, "}")
	case Dict:
		for i, pair := range v.Pairs {
			p.WriteString([]string{"{", ", "}[min(i, 1)])
			p.value(pair.Key, true)
			p.WriteString(": ")
			p.value(pair.Value, true)
		}
		p.WriteString([]string{"{}", "}"}[min(len(v.Pairs), 1)])
	case Array:
		if len(v.Shape) != 1 || nested {
			p.WriteString("<ndarray >")
			return
		}
		for i, item := range v.Items {
			text := repr(item)
			if item.Kind == Float && strings.HasSuffix(text, ".0") {
				text = strings.TrimSuffix(text, "0")
			}
			p.WriteString([]string{"[", " "}[min(i, 1)] + text)
		}
		p.WriteString([]string{"[]", "]"}[min(len(v.Items), 1)])
	default:
		p.WriteString(printScalar(v, nested))
	}
}

func (p *printer) items(begin string, items []Value, end string) {
	p.WriteString(begin)
	for i, item := range items {
		if i > 0 {
			p.WriteString(", ")
		}
		p.value(item, true)
	}
	p.WriteString(end)
}

func printScalar(v Value, nested bool) string {
	switch v.Kind {
	case Null:
		return "None"
	case Bool:
		if v.Bool {
			return "True"
		}
		return "False"
	case Int:
		return v.Int.String()
	case Float:
		return reprFloat(v.Float)
	case Text:
		return quote(v.Text)
	case Bytes:
		return "b" + quoteBytes(v.Bytes)
	case NaT:
		return "NaT"
	case Decimal:
		if nested {
			return "Decimal('" + v.Text + "')"
		}
		return v.Text
	case Complex:
		return reprComplex(v)
	case Date, DateTime, Time, Timedelta:
		return printTime(v, nested)
	}
	return "<" + string(v.Kind) + " " + v.Text + ">"
}

// reprFloat is Python's shortest text that reads back as f.
func reprFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	if abs := math.Abs(f); abs != 0 && (abs < 1e-4 || abs >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

func reprComplex(v Value) string {
	part := func(f float64) string { return strings.TrimSuffix(reprFloat(f), ".0") }
	re, im := v.Items[0].Float, part(v.Items[1].Float)+"j"
	if re == 0 && !math.Signbit(re) {
		return im
	}
	if !strings.HasPrefix(im, "-") {
		im = "+" + im
	}
	return "(" + part(re) + im + ")"
}

// quote is Python's repr of text.
func quote(s string) string {
	mark := '\''
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		mark = '"'
	}
	var b strings.Builder
	b.WriteRune(mark)
	for _, r := range s {
		switch {
		case r == mark || r == '\\':
			b.WriteRune('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20 || r >= 0x7f && r <= 0xff && !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\x%02x`, r)
		case r > 0xff && r <= 0xffff && !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		case r > 0xffff && !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteRune(mark)
	return b.String()
}

func quoteBytes(data []byte) string {
	mark := byte('\'')
	if slices.Contains(data, '\'') && !slices.Contains(data, '"') {
		mark = '"'
	}
	var b strings.Builder
	b.WriteByte(mark)
	for _, c := range data {
		switch {
		case c == mark || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c < 0x20 || c >= 0x7f:
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte(mark)
	return b.String()
}

// printTime writes the str of datetime's types, and for nested ones the repr of
// dates; the other reprs are written as their str, which no grader reads.
func printTime(v Value, nested bool) string {
	switch v.Kind {
	case Date:
		if d, ok := ParseDate(v.Text); ok && nested {
			return fmt.Sprintf("datetime.date(%d, %d, %d)", d.Year, d.Month, d.Day)
		}
		return v.Text
	case Timedelta:
		return printTimedelta(v.Float)
	default:
		return strings.Replace(v.Text, "T", " ", 1)
	}
}

func printTimedelta(seconds float64) string {
	const second, day = 1_000_000, 24 * 60 * 60 * 1_000_000
	rounded := math.Round(seconds * second)
	if math.IsNaN(rounded) || math.Abs(rounded) >= math.MaxInt64 {
		return "<timedelta>"
	}
	days, rest := int64(rounded)/day, int64(rounded)%day
	if rest < 0 {
		days, rest = days-1, rest+day
	}
	clock := fmt.Sprintf("%d:%02d:%02d", rest/(3600*second), rest/(60*second)%60, rest/second%60)
	if micros := rest % second; micros != 0 {
		clock += fmt.Sprintf(".%06d", micros)
	}
	switch days {
	case 0:
		return clock
	case 1, -1:
		return fmt.Sprintf("%d day, %s", days, clock)
	}
	return fmt.Sprintf("%d days, %s", days, clock)
}
