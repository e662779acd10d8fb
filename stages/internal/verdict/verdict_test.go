package verdict

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCutMiddle(t *testing.T) {
	long := strings.Repeat("漢字é", 200)
	for limit := range 300 {
		got := cutMiddle(long, limit)
		if !utf8.ValidString(got) || limit > 0 && (!strings.Contains(got, "bytes left out]") || len(got) > limit+40) {
			t.Fatalf("limit %d: %q", limit, got)
		}
	}
	if got := cutMiddle("short", 5); got != "short" {
		t.Errorf("%q", got)
	}
}
