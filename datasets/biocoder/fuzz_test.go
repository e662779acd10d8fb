package biocoder

import (
	"strings"
	"testing"
)

// FuzzSplice: code of whatever form lands in the gap, the program around it
// untouched.
func FuzzSplice(f *testing.F) {
	f.Add("class A:\n", "    ", "\nprint(A().f())\n", "def f(self):\n    return 1\n")
	f.Add("", "", "", "```python\nx = 1\n```")
	f.Add("x = 1\r\n", "\t", "# end", "\"\"\"text\n  text\"\"\"\n\n\tdef f(): pass")
	f.Fuzz(func(t *testing.T, before, indent, after, code string) {
		context := before + indent + marker + after
		if strings.Count(context, marker) != 1 || strings.Contains(code, marker) {
			t.Skip()
		}
		out := splice(context, code)
		lead := strings.TrimSuffix(before+indent, gapIndent(context))
		if !strings.HasPrefix(out, lead+"\n") || !strings.HasSuffix(out, "\n"+after) {
			t.Errorf("splice(%q, %q) = %q", context, code, out)
		}
		indented := strings.HasPrefix(code, " ") || strings.HasPrefix(code, "\t") || strings.Contains(code, "\n ") || strings.Contains(code, "\n\t")
		if gapIndent(context) == "" && !indented && out != releaseSplice(context, unfence(code)) {
			t.Errorf("a gap at the margin is filled otherwise than in the release: %q", out)
		}
		redefined(context, "f")
		definedBefore(context, "f")
		discards(context, "f")
		readSignature(code)
	})
}
