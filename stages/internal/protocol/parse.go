package protocol

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// The work on one reply is bounded, however hostile its text.
const (
	maxFailed = 256     // braces that begin no object, between two marks of reasoning
	perByte   = 8       // bytes looked at for each of the reply,
	perReply  = 1 << 16 // and for the reply; twice where its reasoning takes them all
)

// Parse reads the one action of a reply: a JSON object with action and
// params, and thought if the agent likes. Text around it is passed over, code
// fences and reasoning among it, and what language models commonly do to JSON is
// mended where it can mean one thing only. It is strict about everything that could mean
// two things: a second action, a key that is there twice, keys that it does not know,
// an object that breaks off before its last value is whole.
//
// What had to be mended to read it is named, in the order of mending: names of
// Repairs, none where the reply is the plain object. A reply that was cut at its limit
// should not come here: where its end would do for an object's, it is taken for it.
//
// Errors are *Error.
func Parse(reply string) (Action, []string, error) {
	a, repairs, _, err := parse(reply)
	return a, repairs, err
}

// parse also tells how many bytes were looked at.
func parse(reply string) (Action, []string, int, error) {
	f, work := scan(reply)
	p, err := f.pick()
	if err != nil {
		return Action{}, nil, work, err
	}
	return p.action, p.mends, work, nil
}

// picked is an action that stands in a reply.
type picked struct {
	start, end int
	action     Action
	mends      mends
	err        error
}

// rival is the action of a reply, and whether there are others.
type rival struct {
	*picked
	end      int // of the last
	repeated bool
	several  bool
}

func (r *rival) add(text string, p *picked) {
	switch {
	case r.picked == nil:
		r.picked = p
	case r.err == nil && p.err == nil && r.action.Name == p.action.Name && r.action.Params == p.action.Params,
		r.start != p.start && text[r.start:r.picked.end] == text[p.start:p.end]:
		r.repeated = true
	default:
		r.several = true
	}
	r.end = p.end
}

// finding is what a scan found.
type finding struct {
	text     string
	from     int    // behind the mark that closed the reasoning
	reasoned []mark // blocks of reasoning behind from, each as one mark
	clear    rival
	doubtful rival  // written like calls, of nothing that we know
	fault    *Error // of an object that is no action
	broken   string // why an object that names an action cannot be read
	gaveUp   bool   // before the end of the text
}

// scan reads a reply object by object. Marks of reasoning count outside of objects
// alone. A block is passed over; a mark that closes what no mark opened says that
// everything before it was reasoning, one that is never closed that everything behind it is.
func scan(text string) (f *finding, work int) {
	f = &finding{text: text}
	marks := marksOf(text)
	var closing []mark // those ahead
	for _, m := range marks {
		if m.closes {
			closing = append(closing, m)
		}
	}
	limit := perByte*len(text) + perReply
	for i, open, failed := 0, -1, 0; ; {
		if open < i {
			if open = strings.IndexByte(text[i:], '{'); open < 0 {
				open = len(text) - i
			}
			open += i
		}
		marks, closing = behind(marks, i), behind(closing, i)
		switch {
		case len(marks) > 0 && marks[0].at < open && marks[0].closes:
			i = marks[0].end
			f, failed = &finding{text: text, from: i}, 0
			continue
		case len(marks) > 0 && marks[0].at < open:
			block := mark{at: marks[0].at, end: len(text)}
			if len(closing) > 0 {
				block.end = closing[0].end
			}
			f.reasoned = append(f.reasoned, block)
			i = block.end
			continue
		case open == len(text):
			return f, work
		case failed == maxFailed && len(closing) > 0: // no more of this reasoning
			i = closing[0].at
			marks = behind(marks, i)
			continue
		case work > limit && len(closing) > 0: // no more of any
			i = closing[len(closing)-1].at
			limit += limit
			continue
		case failed == maxFailed || work > limit:
			f.gaveUp = true
			return f, work
		}
		r := reader{text: text, at: open}
		v, ok := r.object(0)
		work += r.at - open
		if ok {
			f.take(v, open, r.at, r.mends)
			i = r.at
			continue
		}
		failed++
		i = open + 1 // one may stand inside
		if r.action {
			f.breaks(open, r.at, r.why)
			i = max(i, r.at)
		}
	}
}

// behind leaves the marks that are not before a place.
func behind(marks []mark, at int) []mark {
	for len(marks) > 0 && marks[0].at < at {
		marks = marks[1:]
	}
	return marks
}

// outside is the text between two places without its reasoning.
func (f *finding) outside(begin, end int) string {
	var out strings.Builder
	for _, block := range f.reasoned {
		if block.at >= begin && block.end <= end {
			out.WriteString(f.text[begin:block.at])
			begin = block.end
		}
	}
	out.WriteString(f.text[begin:end])
	return out.String()
}

// breaks keeps why the first object that names an action cannot be read.
func (f *finding) breaks(start, at int, why string) {
	if f.broken == "" {
		f.broken = fmt.Sprintf("the JSON object that names an action breaks at its character %d: %s", utf8.RuneCountInString(f.text[start:at])+1, why)
	}
}

// take looks at an object that was read.
func (f *finding) take(v value, start, end int, read mends) {
	objects, envelope := unwrap(v)
	for _, v := range objects {
		var added mends
		begin := start
		clear, doubtful := names(v)
		if !clear && !doubtful {
			if name, at, ok := toolHead(f.text[:start]); ok {
				v = value{kind: '{', members: []member{{keyAction, value{kind: '"', text: name}}, {keyParams, v}}, twice: v.twice}
				clear, begin = true, max(at, f.from)
				added.add(mendTags)
			}
		}
		if v.twice && (clear || doubtful || len(read) == 0) {
			if f.fault == nil { // which of two values was meant is not ours to guess
				f.fault = &Error{FaultDuplicate, "a key of the JSON object is there twice"}
			}
			continue
		}
		// Behind an object that broke off, it may be a part of one of its texts.
		if !clear && !doubtful || f.broken != "" && !beginsLine(f.text[f.from:begin]) {
			continue
		}
		added.add(read...)
		if envelope {
			added.add(mendEnvelope)
		}
		p := &picked{start: begin, end: end, mends: added}
		p.action, p.err = readAction(v, &p.mends)
		if errors.Is(p.err, errCut) {
			f.breaks(start, end, "it is not closed")
			continue
		}
		if clear {
			f.clear.add(f.text, p)
		} else {
			f.doubtful.add(f.text, p)
		}
	}
}

// beginsLine says whether what follows before is the first thing of a line, but for
// fences and tags.
func beginsLine(before string) bool {
	before = strings.TrimRight(before, " \t")
	cut, _ := cutFence(before)
	cut, _ = cutAny(cut, strings.CutSuffix, openTags)
	return cut != before || before == "" || strings.HasSuffix(before, "\n")
}

// pick gives the one action that was found.
func (f *finding) pick() (*picked, error) {
	r := f.clear
	if r.picked == nil {
		r = f.doubtful
	}
	switch {
	case f.fault != nil:
		return nil, f.fault
	case f.gaveUp: // there may be another action in what was not read
		return nil, &Error{FaultNoObject, "the reply has too many braces that begin no JSON object"}
	case r.picked == nil && strings.TrimSpace(f.outside(f.from, len(f.text))) == "":
		return nil, &Error{FaultEmpty, "the reply has no text, or none but its reasoning"}
	case r.picked == nil && f.broken != "":
		return nil, &Error{FaultNoObject, f.broken}
	case r.picked == nil:
		return nil, &Error{FaultNoObject, `the reply holds no whole JSON object with "action" and "params"`}
	case r.several:
		return nil, &Error{FaultSeveral, "the reply has more than one action; give one at a time"}
	case r.err != nil:
		return nil, r.err
	}
	p := *r.picked
	p.mends = nil
	if f.from > 0 || len(f.reasoned) > 0 {
		p.mends.add(mendReasoning)
	}
	p.mends.add(around(f.outside(f.from, p.start), f.outside(r.end, len(f.text)))...)
	p.mends.add(r.mends...)
	if r.repeated {
		p.mends.add(mendRepeated)
	}
	return &p, nil
}
