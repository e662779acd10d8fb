// Package show makes text that came out of a sandbox fit to be read by an agent:
// clean, short, and without a word about the host.
package show

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// escapes are what terminals take for orders: CSI, OSC with its end, and the rest of
// two characters.
var escapes = regexp.MustCompile("\x1b\\[[0-?]*[ -/]*[@-~]?|\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?|\x1b[ -/]*[0-~]?|\u009b[0-?]*[ -/]*[@-~]")

// Clean takes out what no reader sees or means: terminal escapes, control characters,
// marks that turn the direction of text. Bytes that are no UTF-8 become U+FFFD. A
// carriage return ends a line: progress bars are drawn with it.
func Clean(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if strings.ContainsAny(text, "\x1b\u009b") {
		text = escapes.ReplaceAllString(text, "")
	}
	if strings.Contains(text, "\r") {
		text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r), unicode.In(r, unicode.Bidi_Control), r == '\ufeff':
			return -1
		}
		return r
	}, text)
}

// marker stands where something was left out.
const marker = "\n[%d characters left out]\n"

// Cut keeps the head and the tail of a text that has more than limit characters, the
// head three times as long, and says between them how many were left out. It ends the
// head and begins the tail at a line's end where there is one near.
func Cut(text string, limit int) (short string, cut bool) {
	if len(text) <= limit {
		return text, false
	}
	runes := utf8.RuneCountInString(text)
	if runes <= limit {
		return text, false
	}
	room := max(0, limit-len(fmt.Sprintf(marker, runes)))
	head, tail := prefix(text, room-room/4), suffix(text, room/4)
	if at := strings.LastIndexByte(head, '\n'); at >= len(head)*3/4 {
		head = head[:at]
	}
	if at := strings.IndexByte(tail, '\n'); at >= 0 && at < len(tail)/4 {
		tail = tail[at+1:]
	}
	left := runes - utf8.RuneCountInString(head) - utf8.RuneCountInString(tail)
	return head + fmt.Sprintf(marker, left) + tail, true
}

// prefix is the first n characters of a text.
func prefix(text string, n int) string {
	for at := range text {
		if n == 0 {
			return text[:at]
		}
		n--
	}
	return text
}

// suffix is the last n characters of a text.
func suffix(text string, n int) string {
	at := len(text)
	for ; n > 0 && at > 0; n-- {
		_, size := utf8.DecodeLastRuneInString(text[:at])
		at -= size
	}
	return text[at:]
}

// reach is how many lines an excerpt shows on either side.
const reach = 3

// Excerpt shows the lines of code around one of them, numbered, with an arrow. Lines
// that are very long are cut. It is empty where there is no such line.
func Excerpt(code string, line int) string {
	lines := strings.Split(strings.TrimRight(Clean(code), "\n"), "\n")
	if line < 1 || line > len(lines) {
		return ""
	}
	var b strings.Builder
	for n := max(1, line-reach); n <= min(len(lines), line+reach); n++ {
		arrow := "  "
		if n == line {
			arrow = "->"
		}
		text, _ := Cut(lines[n-1], 200)
		fmt.Fprintf(&b, "%s %4d  %s\n", arrow, n, strings.ReplaceAll(text, "\n", " "))
	}
	return strings.TrimRight(b.String(), "\n")
}

// Hider hides where files lie on the host.
type Hider struct{ replace *strings.Replacer }

// Hide makes a Hider: each place on the host is shown as the one that a program
// knows. The kernel may tell a place by its end alone, as a path within a mount, so
// ends of two names and more are hidden too.
func Hide(places map[string]string) Hider {
	var inside strings.Builder // what programs know is no secret, and stays as it is
	for _, place := range places {
		inside.WriteString(place + "\n")
	}
	known := inside.String()
	var froms []string
	to := map[string]string{}
	add := func(from, place string) {
		if _, there := to[from]; !there && strings.Count(from, "/") >= 2 && !strings.Contains(known, from) {
			froms, to[from] = append(froms, from), place
		}
	}
	for _, host := range slices.Sorted(maps.Keys(places)) {
		place := places[host]
		for end := path.Clean(host); strings.Count(end, "/") >= 2; end = end[1+strings.IndexByte(end[1:], '/'):] {
			add(end, place)
		}
		add(path.Dir(host), path.Dir(place))
	}
	if len(froms) == 0 {
		return Hider{}
	}
	// The longest first: a replacer takes the first that fits.
	slices.SortStableFunc(froms, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, from := range froms {
		pairs = append(pairs, from, to[from])
	}
	return Hider{strings.NewReplacer(pairs...)}
}

// Text hides in a text.
func (h Hider) Text(text string) string {
	if h.replace == nil {
		return text
	}
	return h.replace.Replace(text)
}
