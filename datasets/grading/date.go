package grading

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Day is a calendar date.
type Day struct {
	Year  int
	Month time.Month
	Day   int
}

// String is the ISO form.
func (d Day) String() string {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
}

// Date is the calendar date that v says: a date, a datetime at midnight, or text
// that is a date and nothing more. Forms of text:
//
//	2014-09-23  2014/9/23  2014.09.23  20140923  each with 00:00:00 after it or not
//	09/23/2014  9-23-2014      month first, unless it can only be the day
//	23.09.2014                 with dots, day first
//	September 23, 2014  23 Sep 2014  Sep 23rd 2014  with a weekday before it or not
//
// A year of two digits is no date: it can be read in more ways than one.
func (v Value) Date() (Day, bool) {
	switch v = v.scalar(); v.Kind {
	case Date, DateTime, Text:
		return ParseDate(v.Text)
	}
	return Day{}, false
}

var (
	yearFirst = regexp.MustCompile(`^(\d{4})([-/.])(\d{1,2})[-/.](\d{1,2})$`)
	compact   = regexp.MustCompile(`^(\d{4})()(\d{2})(\d{2})$`)
	yearLast  = regexp.MustCompile(`^(\d{1,2})([-/.])(\d{1,2})[-/.](\d{4})$`)
	monthName = regexp.MustCompile(`^([a-z]+)\.?[ -](\d{1,2})(?:st|nd|rd|th)?(?:, ?|[ -])(\d{4})$`)
	dayName   = regexp.MustCompile(`^(\d{1,2})(?:st|nd|rd|th)?[ -](?:of )?([a-z]+)\.?(?:, ?|[ -])(\d{4})$`)
	midnight  = regexp.MustCompile(`[t ]00:00(?::00(?:\.0+)?)?(?:z|[+-]00:?00)?$`)
	weekday   = regexp.MustCompile(`^(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?,? `)
)

// ParseDate reads text that is a date and nothing more, as Value.Date says.
func ParseDate(text string) (Day, bool) {
	if len(text) > 64 {
		return Day{}, false
	}
	text = strings.Join(strings.Fields(strings.ToLower(text)), " ")
	text = midnight.ReplaceAllString(text, "")
	text = weekday.ReplaceAllString(text, "")
	for _, form := range []*regexp.Regexp{yearFirst, compact} {
		if m := form.FindStringSubmatch(text); m != nil {
			return day(m[1], m[3], m[4])
		}
	}
	if m := yearLast.FindStringSubmatch(text); m != nil {
		month, dom := m[1], m[3]
		if n, _ := strconv.Atoi(month); n > 12 || m[2] == "." {
			month, dom = dom, month
		}
		return day(m[4], month, dom)
	}
	if m := monthName.FindStringSubmatch(text); m != nil {
		return day(m[3], monthNumber(m[1]), m[2])
	}
	if m := dayName.FindStringSubmatch(text); m != nil {
		return day(m[3], monthNumber(m[2]), m[1])
	}
	return Day{}, false
}

// monthNumber is 1 to 12 for a month's name, or its first three letters (or
// sept); empty if it is none.
func monthNumber(name string) string {
	for m := time.January; m <= time.December; m++ {
		full := strings.ToLower(m.String())
		if name == full || name == full[:3] || name == "sept" && m == time.September {
			return strconv.Itoa(int(m))
		}
	}
	return ""
}

// day checks that the calendar has such a day.
func day(year, month, dom string) (Day, bool) {
	y, errY := strconv.Atoi(year)
	m, errM := strconv.Atoi(month)
	d, errD := strconv.Atoi(dom)
	if errY != nil || errM != nil || errD != nil || y == 0 {
		return Day{}, false
	}
	t := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
	if t.Year() != y || int(t.Month()) != m || t.Day() != d {
		return Day{}, false
	}
	return Day{y, time.Month(m), d}, true
}

// Span is a gestational age: weeks, and the days above them.
type Span struct{ Weeks, Days int }

var (
	spanText  = regexp.MustCompile(`^\(?['"]?(\d{1,4}) ?(?:weeks?|wks?|w)['"]?(?:,? and |, ?| ?)['"]?(\d{1,4}) ?(?:days?|d)['"]?\)?$`)
	weeksText = regexp.MustCompile(`^(\d{1,4}) ?(?:weeks?|wks?|w)?$`)
	daysText  = regexp.MustCompile(`^(\d{1,4}) ?(?:days?|d)?$`)
)

// Span is the pair of weeks and days that v says: a tuple, list or array of two
// integers or texts such as "5 weeks" and "3 days", a dict of weeks and days, or
// one text such as "(5 weeks, 3 days)". Pairs are compared as pairs: 10 days are
// not 1 week and 3 days.
func (v Value) Span() (Span, bool) {
	switch v.Kind {
	case Tuple, List, Array:
		if len(v.Items) != 2 {
			return Span{}, false
		}
		return span(v.Items[0], v.Items[1])
	case Dict:
		if len(v.Pairs) != 2 {
			return Span{}, false
		}
		parts := map[string]Value{}
		for _, p := range v.Pairs {
			if p.Key.Kind == Text {
				parts[strings.ToLower(trim(p.Key.Text))] = p.Value
			}
		}
		return span(parts["weeks"], parts["days"])
	case Text:
		if len(v.Text) > 64 {
			return Span{}, false
		}
		m := spanText.FindStringSubmatch(strings.Join(strings.Fields(strings.ToLower(v.Text)), " "))
		if m == nil {
			return Span{}, false
		}
		weeks, _ := strconv.Atoi(m[1])
		days, _ := strconv.Atoi(m[2])
		return Span{weeks, days}, true
	}
	return Span{}, false
}

func span(weeks, days Value) (Span, bool) {
	w, okW := count(weeks, weeksText)
	d, okD := count(days, daysText)
	return Span{w, d}, okW && okD
}

// count is a small natural number, or text of one with its unit.
func count(v Value, form *regexp.Regexp) (int, bool) {
	if v = v.scalar(); v.Kind == Text {
		if len(v.Text) > 64 {
			return 0, false
		}
		m := form.FindStringSubmatch(strings.Join(strings.Fields(strings.ToLower(v.Text)), " "))
		if m == nil {
			return 0, false
		}
		n, err := strconv.Atoi(m[1])
		return n, err == nil
	}
	n, ok := v.Integer()
	if !ok || n.Sign() < 0 || n.BitLen() > 31 {
		return 0, false
	}
	return int(n.Int64()), true
}
