package biocoder

import (
	"regexp"
	"slices"
	"strings"

	"github.com/medgym-data/medgym-data/datasets/pysrc"
)

// marker stands in a context where the solution goes.
const marker = "<<insert solution here>>"

func unixLines(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }

// gapIndent is the whitespace before the marker; empty when anything else stands
// there.
func gapIndent(context string) string {
	at := strings.Index(context, marker)
	if at < 0 {
		return ""
	}
	lead := context[strings.LastIndexByte(context[:at], '\n')+1 : at]
	if strings.TrimSpace(lead) != "" {
		return ""
	}
	return lead
}

// splice puts code into the gap, indented to the gap's column. The release puts
// it there as it is, which tears a method out of its class.
func splice(context, code string) string {
	before, after, _ := strings.Cut(context, marker)
	indent := gapIndent(context)
	before = strings.TrimSuffix(before, indent)
	return before + "\n" + pysrc.Reindent(unfence(code), indent) + "\n" + after
}

// releaseSplice is how the public release puts code into the gap.
func releaseSplice(context, code string) string {
	return strings.ReplaceAll(context, marker, "\n"+code+"\n")
}

var fence = regexp.MustCompile("(?s)^\\s*```[A-Za-z0-9]*[ \\t]*\\n(.*?)\\n?```\\s*$")

// unfence takes off a Markdown code fence around the whole of code, which models
// add out of habit.
func unfence(code string) string {
	code = unixLines(code)
	if m := fence.FindStringSubmatch(code); m != nil {
		return m[1]
	}
	return code
}

// redefined says whether the block that the gap is in defines the function again
// below the gap: then what is put into the gap is replaced before it is called.
func redefined(context, function string) bool {
	_, after, _ := strings.Cut(context, marker)
	return defines(strings.Split(after, "\n"), gapIndent(context), function)
}

// definedBefore says whether the block that the gap is in defines the function
// above the gap: then it is there without a submission.
func definedBefore(context, function string) bool {
	before, _, _ := strings.Cut(context, marker)
	lines := strings.Split(before, "\n")
	lines = lines[:len(lines)-1] // the gap's own
	slices.Reverse(lines)
	return defines(lines, gapIndent(context), function)
}

// defines looks for the function's header in the block that lines begin in, whose
// column is indent.
func defines(lines []string, indent, function string) bool {
	header := regexp.MustCompile(`^(async\s+)?def\s+` + regexp.QuoteMeta(function) + `\s*\(`)
	for _, line := range lines {
		text := strings.TrimLeft(line, " \t")
		lead := line[:len(line)-len(text)]
		switch {
		case strings.TrimSpace(text) == "":
		case len(lead) < len(indent):
			return false // the block has ended
		case lead == indent && header.MatchString(text):
			return true
		}
	}
	return false
}

// extends says whether a decorator of the signature is made of the function's
// earlier definition, as a setter is made of its property.
func extends(signature, function string) bool {
	for line := range strings.Lines(signature) {
		if strings.HasPrefix(strings.TrimSpace(line), "@"+function+".") {
			return true
		}
	}
	return false
}

// discards says whether a program calls the function somewhere for what it does
// alone, as a statement.
func discards(context, function string) bool {
	return regexp.MustCompile(`(?m)^[ \t]*(?:\w+(?:\(\))?\.)*` + regexp.QuoteMeta(function) + `\(`).MatchString(context)
}

// mentions says whether code names the function at all.
func mentions(code, function string) bool {
	for _, tok := range pysrc.Tokenize(code) {
		if tok.Kind == pysrc.Name && tok.Text == function {
			return true
		}
	}
	return false
}
