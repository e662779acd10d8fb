package screen

import (
	"hash/fnv"
	"unicode"
	"unicode/utf8"
)

// words splits a text into lower-cased words and hashes each. A word is a run of
// letters, marks and digits; digits count, and a point or comma between two digits
// belongs to the number, so that 100.38 is one word and 100.57 another.
func words(text string) []uint64 {
	var out []uint64
	h := fnv.New64a()
	open := false
	var last rune
	for i, r := range text {
		switch {
		case unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r),
			(r == '.' || r == ',') && open && unicode.IsDigit(last) && digitAt(text, i+1):
			_, _ = h.Write(utf8.AppendRune(nil, unicode.ToLower(r))) // never fails
			open = true
		case open:
			out = append(out, mix(h.Sum64()))
			h.Reset()
			open = false
		}
		last = r
	}
	if open {
		out = append(out, mix(h.Sum64()))
	}
	return out
}

func digitAt(text string, i int) bool {
	r, _ := utf8.DecodeRuneInString(text[i:])
	return unicode.IsDigit(r)
}

// ngrams appends a hash of every n words in a row. Of two different n-grams the
// hashes are equal once in 2^64.
func ngrams(out, words []uint64, n int) []uint64 {
	for i := 0; i+n <= len(words); i++ {
		out = append(out, sequence(words[i:i+n]))
	}
	return out
}

// sequence hashes words in their order.
func sequence(words []uint64) uint64 {
	h := uint64(len(words))
	for _, w := range words {
		h = mix(h ^ w)
	}
	return h
}

// mix is the finalizer of SplitMix64 (Steele et al. 2014), a bijection in which
// every bit of the input reaches every bit of the output.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
