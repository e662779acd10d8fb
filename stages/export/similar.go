package export

import (
	"regexp"
	"slices"

	"github.com/medgym-data/medgym-data/schemas"
)

// turnText is what the assistant's turn does; the turn itself where it was no
// action.
func turnText(t schemas.Trajectory, turn int32, message schemas.Message) string {
	text := ""
	for _, s := range t.Steps {
		if schemas.Value(s.Turn) == turn && s.ParamsJSON != "" {
			text += stepText(s) + "\n"
		}
	}
	if text == "" {
		return message.Content
	}
	return text
}

var word = regexp.MustCompile(`[\p{L}\p{N}_]+|[^\s]`)

// words splits a text into names, numbers and single signs. White space is gone.
func words(text string) []string { return word.FindAllString(text, -1) }

// similar says whether two texts are equal but for white space, or at least so
// alike: 2·common/(both lengths), common being their longest common subsequence.
// Pairs that hardly differ teach little and can lower the chosen side's own
// probability (Pal et al. 2024, arXiv 2402.13228).
func similar(a, b []string, limit float64) bool {
	if slices.Equal(a, b) {
		return true
	}
	if limit >= 1 {
		return false
	}
	// The edit distance without replacements is both lengths less twice the common.
	_, ok := editDistance(a, b, int((1-limit)*float64(len(a)+len(b))+1e-9)) // 0.1·10 is 1
	return ok
}

// editDistance counts insertions and deletions (Myers 1986), and gives up beyond
// most: O((len(a)+len(b))·most) time, O(most) memory.
func editDistance(a, b []string, most int) (int, bool) {
	if abs(len(a)-len(b)) > most {
		return 0, false
	}
	offset := most + 1
	far := make([]int, 2*most+3) // furthest x on each diagonal x-y
	for d := 0; d <= most; d++ {
		for k := -d; k <= d; k += 2 {
			var x int
			if k == -d || k != d && far[offset+k-1] < far[offset+k+1] {
				x = far[offset+k+1]
			} else {
				x = far[offset+k-1] + 1
			}
			for x < len(a) && x-k < len(b) && a[x] == b[x-k] {
				x++
			}
			far[offset+k] = x
			if x >= len(a) && x-k >= len(b) {
				return d, true
			}
		}
	}
	return 0, false
}

func abs(n int) int { return max(n, -n) }
