package grounding

import (
	"regexp"
	"slices"
	"strings"

	"github.com/medgym-data/medgym-data/stages/internal/show"
)

// Context is what is known beside the error. All of it may be empty.
type Context struct {
	Code     string   // the program
	Output   string   // what it printed
	Files    []string // that the session was given, as programs name them
	Installs bool     // packages may be installed
}

// Note is what is said about an error.
type Note struct {
	Rule string // that fired
	Text string // empty where no rule did
}

// Explain says what an error means and what to do about it.
func Explain(f Fault, c Context) Note {
	message, _ := show.Cut(show.Clean(f.Message), 4000)
	for _, r := range rules {
		if r.types != "" && !slices.Contains(strings.Fields(r.types), f.Type) || r.library != "" && r.library != f.Library() {
			continue
		}
		if m := r.match.FindStringSubmatch(message); m != nil {
			return Note{r.name, fill(r, m, c)}
		}
	}
	return Note{}
}

var slot = regexp.MustCompile(`\{[a-z]+\}`)

// fill puts what the pattern caught, and what the context knows, into a rule's words.
func fill(r compiled, m []string, c Context) string {
	caught := func(name string) string {
		if i := r.match.SubexpIndex(name); i >= 0 {
			text, _ := show.Cut(strings.Join(strings.Fields(m[i]), " "), 120)
			return strings.Trim(strings.ReplaceAll(text, "\n", " "), `'"`)
		}
		return ""
	}
	text := slot.ReplaceAllStringFunc(r.say, func(s string) string {
		switch name := strings.Trim(s, "{}"); name {
		case "near":
			return near(caught("key"), c)
		case "files":
			return files(c.Files)
		case "instead":
			return alternative(caught("module"), c.Installs)
		default:
			return caught(name)
		}
	})
	return strings.TrimSpace(strings.ReplaceAll(text, "  ", " "))
}

// maxFiles are listed; more are counted.
const maxFiles = 8

func files(names []string) string {
	if len(names) == 0 {
		return ""
	}
	names = slices.Sorted(slices.Values(names))
	more := ""
	if n := len(names); n > maxFiles {
		names, more = names[:maxFiles], " and more"
	}
	return " Files that are given: " + strings.Join(names, ", ") + more + "."
}

// alternative says what to do without a package.
func alternative(module string, installs bool) string {
	top, _, _ := strings.Cut(module, ".")
	if other := instead[top]; other != "" {
		return other + "."
	}
	if other := instead[strings.ToLower(top)]; other != "" {
		return other + "."
	}
	if installs {
		return "It may be installed with pip install, or done with numpy, pandas, scipy, statsmodels, sklearn, lifelines, Bio or the standard library."
	}
	return "Packages cannot be installed: do it with numpy, pandas, scipy, statsmodels, sklearn, lifelines, Bio or the standard library."
}

var (
	quoted = regexp.MustCompile(`'([^'\n]{1,80})'|"([^"\n]{1,80})"`)
	words  = regexp.MustCompile(`[A-Za-z_][\w./-]{1,80}`)
)

// maxNear names are told.
const maxNear = 3

// near lists names in the program, its output and the given files that are written
// much like one that was not found.
func near(missing string, c Context) string {
	missing = strings.Trim(missing, `'"[] `)
	if missing == "" || len(missing) > 80 {
		return ""
	}
	type candidate struct {
		name     string
		distance int
	}
	var found []candidate
	seen := map[string]bool{missing: true}
	look := func(name string) {
		name = strings.Trim(name, ".,-/ ")
		if name == "" || seen[name] {
			return
		}
		seen[name] = true
		if d := distance(plain(missing), plain(name)); d <= min(2, len(missing)/3) {
			found = append(found, candidate{name, d})
		}
	}
	for _, file := range c.Files {
		if base := file[strings.LastIndexByte(file, '/')+1:]; seen[file] || strings.HasSuffix(missing, "/"+base) || missing == base {
			found = append(found, candidate{file, 0})
			seen[file] = true
		}
	}
	for _, text := range []string{c.Code, c.Output} {
		if len(text) > maxText {
			text = text[:maxText]
		}
		for _, m := range quoted.FindAllStringSubmatch(text, -1) {
			look(m[1] + m[2])
		}
		for _, w := range words.FindAllString(text, -1) {
			look(w)
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return a.distance - b.distance })
	var names []string
	for _, f := range found[:min(maxNear, len(found))] {
		names = append(names, f.name)
	}
	if len(names) == 0 {
		return ""
	}
	return " Written alike: " + strings.Join(names, ", ") + "."
}

// plain is a name without what is often mistaken: case, spaces, underscores.
func plain(name string) string {
	return strings.NewReplacer(" ", "", "_", "", "-", "").Replace(strings.ToLower(name))
}

// distance counts the letters to change, to add or to leave out, as far as 3.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	if len(x)-len(y) > 2 || len(y)-len(x) > 2 {
		return 3
	}
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		diagonal := row[0]
		row[0] = i + 1
		for j := range y {
			cost := diagonal
			if x[i] != y[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(y)]
}

var warned = regexp.MustCompile(`(?m)^(?:[^\n:]*:\d+: )?(?:\w+\.)*(SettingWithCopyWarning|ConvergenceWarning|DtypeWarning|RuntimeWarning|FutureWarning|UserWarning|PerfectSeparationWarning|ChainedAssignmentError)\b: ?(.*)`)

// Warning explains the first warning in standard error that a rule knows.
func Warning(stderr string) Note {
	if len(stderr) > maxText {
		stderr = stderr[:maxText]
	}
	for _, m := range warned.FindAllStringSubmatch(show.Clean(stderr), 20) {
		if note := Explain(Fault{Type: m[1], Message: m[2]}, Context{}); note.Text != "" {
			return note
		}
	}
	return Note{}
}

// shellRules explain what commands say; the first that fits is taken.
var shellRules = []struct {
	exit  int // 0: any
	match *regexp.Regexp
	say   string
}{
	{0, regexp.MustCompile(`(?i)no module named '?pip|No matching distribution found|Could not open requirements file: .*constraints`), "{installs}"},
	{127, regexp.MustCompile(`sqlite3\S*: .*not found`), "The command sqlite3 is not here; Python's module is: import sqlite3."},
	{127, regexp.MustCompile(`\b(sudo|su|apt|apt-get|yum|dnf|apk|conda|mamba|brew)\S*: .*not found`), "Nothing can be installed into the system, and there is no other user to become."},
	{127, regexp.MustCompile(`\b(curl|wget|git|ssh|nc)\S*: .*not found`), "There is no internet here. Use the data in /workdir and /data.{files}"},
	{127, regexp.MustCompile(`not found`), "There is no such command here. There are sh, the usual small tools (ls, cat, head, grep, sed, awk, sort, cut, find, wc) and python."},
	{0, regexp.MustCompile(`(?i)could not resolve|temporary failure in name resolution|network is unreachable|name or service not known|failed to connect|connection refused`), "There is no internet here. Use the data in /workdir and /data.{files}"},
	{0, regexp.MustCompile(`(?i)read-only file system|permission denied|operation not permitted|are you root`), "This is not allowed here: what is given cannot be changed, and nothing outside of the working folder and /tmp can be written."},
	{0, regexp.MustCompile(`(?i)no such file or directory`), "The path is not there.{files}"},
	{0, regexp.MustCompile(`(?i)no space left`), "The space for files is used up: remove what you wrote, or write less."},
	{2, regexp.MustCompile(`(?i)sh: \d+: Syntax error`), "The shell is a plain sh (dash), not bash: no [[ ]], no arrays, no <( ), no {1..3}. Check quotes as well."},
}

// Shell says what the end of a shell command means: of a Python program in it, where
// there is a traceback, or of the command.
func Shell(command string, exit int, stderr string, c Context) Note {
	if _, trace := Split(stderr); trace != "" {
		c.Code = command
		if note := Explain(Parse(trace), c); note.Text != "" {
			return note
		}
	}
	stderr = show.Clean(stderr)
	for _, r := range shellRules {
		if (r.exit == 0 || r.exit == exit) && r.match.MatchString(stderr) {
			text := strings.ReplaceAll(r.say, "{files}", files(c.Files))
			return Note{"shell", strings.ReplaceAll(text, "{installs}", Installs(c.Installs))}
		}
	}
	return Note{}
}

// Installs says whether packages may be installed.
func Installs(may bool) string {
	if may {
		return "Only wheels from the index of this run can be installed, and only beside the packages that are there: it has no such package, or no version that fits."
	}
	return "Packages cannot be installed in this run. There are numpy, pandas, scipy, statsmodels, sklearn, lifelines, matplotlib, Bio and the standard library."
}
