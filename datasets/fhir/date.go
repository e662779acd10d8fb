package fhir

import (
	"fmt"
	"strings"
	"time"
)

// Date is a FHIR date, dateTime or instant: the span of time [Start, End) that
// its precision leaves open. 2023-11 is all of November; 10:15:00 is one second.
type Date struct {
	Start, End time.Time
	Clock      bool // it has a time of day
	Zoned      bool // it names its zone; a time that does not is read as UTC
}

// forever bounds periods without an end.
var forever = time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)

// ParseDate reads YYYY, YYYY-MM, YYYY-MM-DD, or the last with Thh:mm, :ss, a
// fraction of up to nine digits, and Z or a numeric zone. Seconds may be left
// out, as search parameters allow.
func ParseDate(text string) (Date, error) {
	p := dateParser{rest: text}
	d, ok := p.parse()
	if !ok || p.rest != "" {
		return Date{}, fmt.Errorf("not a FHIR date of %d characters", len(text))
	}
	return d, nil
}

type dateParser struct{ rest string }

// digits takes exactly n digits in [lo, hi].
func (p *dateParser) digits(n, lo, hi int) (int, bool) {
	if len(p.rest) < n {
		return 0, false
	}
	v := 0
	for _, c := range []byte(p.rest[:n]) {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + int(c-'0')
	}
	p.rest = p.rest[n:]
	return v, v >= lo && v <= hi
}

func (p *dateParser) take(c byte) bool {
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

func (p *dateParser) parse() (Date, bool) {
	year, ok := p.digits(4, 1, 9999)
	if !ok {
		return Date{}, false
	}
	if p.rest == "" {
		start := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
		return Date{Start: start, End: start.AddDate(1, 0, 0)}, true
	}
	if !p.take('-') {
		return Date{}, false
	}
	month, ok := p.digits(2, 1, 12)
	if !ok {
		return Date{}, false
	}
	if p.rest == "" {
		start := time.Date(year, time.Month(month), 1, 0, 0, 0, 0, time.UTC)
		return Date{Start: start, End: start.AddDate(0, 1, 0)}, true
	}
	if !p.take('-') {
		return Date{}, false
	}
	day, ok := p.digits(2, 1, 31)
	start := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if !ok || start.Day() != day {
		return Date{}, false
	}
	if p.rest == "" {
		return Date{Start: start, End: start.AddDate(0, 0, 1)}, true
	}
	return p.clock(start)
}

func (p *dateParser) clock(day time.Time) (Date, bool) {
	if !p.take('T') {
		return Date{}, false
	}
	hour, okHour := p.digits(2, 0, 23)
	if !okHour || !p.take(':') {
		return Date{}, false
	}
	minute, ok := p.digits(2, 0, 59)
	if !ok {
		return Date{}, false
	}
	span, second, nano := time.Minute, 0, 0
	if p.take(':') {
		span = time.Second
		if second, ok = p.digits(2, 0, 60); !ok { // 60 is a leap second
			return Date{}, false
		}
		if p.take('.') {
			if nano, span, ok = p.fraction(); !ok {
				return Date{}, false
			}
		}
	}
	offset, zoned, ok := p.zone()
	if !ok {
		return Date{}, false
	}
	start := day.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute +
		time.Duration(second)*time.Second + time.Duration(nano) - offset)
	return Date{Start: start, End: start.Add(span), Clock: true, Zoned: zoned}, true
}

func (p *dateParser) fraction() (nano int, span time.Duration, ok bool) {
	n := 0
	for n < len(p.rest) && p.rest[n] >= '0' && p.rest[n] <= '9' {
		n++
	}
	if n == 0 || n > 9 {
		return 0, 0, false
	}
	nano, _ = p.digits(n, 0, 1<<30)
	span = time.Second
	for range n {
		span /= 10
	}
	return nano * int(span), span, true
}

func (p *dateParser) zone() (offset time.Duration, zoned, ok bool) {
	sign := time.Duration(1)
	switch {
	case p.rest == "":
		return 0, false, true
	case p.take('Z'):
		return 0, true, true
	case p.take('-'):
		sign = -1
	case p.take('+'):
	case p.take(' '): // a plus sign that was not escaped in a URL
	default:
		return 0, false, false
	}
	hours, okHours := p.digits(2, 0, 14)
	if !okHours || !p.take(':') {
		return 0, false, false
	}
	minutes, ok := p.digits(2, 0, 59)
	return sign * (time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute), true, ok
}

// prefix is how a date is compared.
type prefix string

// The prefixes. ap (about) is not served: it would depend on the day of the run.
const (
	equal        prefix = "eq"
	notEqual     prefix = "ne"
	lessThan     prefix = "lt"
	lessEqual    prefix = "le"
	greaterThan  prefix = "gt"
	greaterEqual prefix = "ge"
	startsAfter  prefix = "sa"
	endsBefore   prefix = "eb"
)

// dateValue is a date as a search asks for it.
type dateValue struct {
	prefix prefix
	date   Date
}

func parseDateValue(text string) (dateValue, error) {
	v := dateValue{prefix: equal}
	if len(text) >= 2 && text[0] >= 'a' && text[0] <= 'z' {
		v.prefix, text = prefix(text[:2]), text[2:]
		switch v.prefix {
		case equal, notEqual, lessThan, lessEqual, greaterThan, greaterEqual, startsAfter, endsBefore:
		default:
			return v, fmt.Errorf("prefix %q is not one of eq, ne, lt, le, gt, ge, sa, eb", v.prefix)
		}
	}
	var err error
	v.date, err = ParseDate(strings.TrimSpace(text))
	return v, err
}

// matches compares the span that a resource states with the one asked for, as
// the table in the specification's section on prefixes says.
func (v dateValue) matches(d Date) bool {
	contains := !d.Start.Before(v.date.Start) && !d.End.After(v.date.End)
	switch v.prefix {
	case equal:
		return contains
	case notEqual:
		return !contains
	case lessThan:
		return d.Start.Before(v.date.Start)
	case lessEqual:
		return contains || d.Start.Before(v.date.Start)
	case greaterThan:
		return d.End.After(v.date.End)
	case greaterEqual:
		return contains || d.End.After(v.date.End)
	case startsAfter:
		return !d.Start.Before(v.date.End)
	case endsBefore:
		return !d.End.After(v.date.Start)
	}
	return false
}

// startBounds are the bounds [lo, hi) of the start of any date that can match,
// for the index by date; ok is false where there are none.
func (v dateValue) startBounds() (lo, hi time.Time, ok bool) {
	switch v.prefix {
	case equal:
		return v.date.Start, v.date.End, true
	case lessThan, endsBefore:
		return time.Time{}, v.date.Start, true
	case lessEqual:
		return time.Time{}, v.date.End, true
	case startsAfter:
		return v.date.End, forever, true
	}
	return time.Time{}, time.Time{}, false
}
