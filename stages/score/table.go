package score

import (
	"bytes"
	"crypto/sha256"
	"slices"
)

// table holds scores by trajectory: 32 bytes for each, whatever the ids. It is
// filled, then sorted, then asked.
type table struct{ entries []entry }

type entry struct {
	key   [16]byte // of the id
	score float64  // NaN: none
	line  uint32   // of the file, from 1
	tag   uint8    // what is said of it
	seen  bool     // a trajectory has this id
}

func keyOf(id string) [16]byte {
	sum := sha256.Sum256([]byte(id))
	return [16]byte(sum[:16])
}

func (t *table) add(id string, score float64, line uint32, tag uint8) {
	t.entries = append(t.entries, entry{key: keyOf(id), score: score, line: line, tag: tag})
}

// sort makes find possible. Of equal ids the one with the lowest line comes first.
func (t *table) sort() {
	slices.SortFunc(t.entries, func(a, b entry) int {
		if c := bytes.Compare(a.key[:], b.key[:]); c != 0 {
			return c
		}
		return int(a.line) - int(b.line)
	})
}

// single leaves no id that stands more than once, and says how many entries are
// gone and which of them stood first for the second time.
func (t *table) single() (gone int, second, first uint32) {
	kept := t.entries[:0]
	for i := 0; i < len(t.entries); {
		j := i + 1
		for j < len(t.entries) && t.entries[j].key == t.entries[i].key {
			j++
		}
		if j == i+1 {
			kept = append(kept, t.entries[i])
		} else {
			gone += j - i
			if again := t.entries[i+1].line; second == 0 || again < second {
				second, first = again, t.entries[i].line
			}
		}
		i = j
	}
	t.entries = kept
	return gone, second, first
}

// find is the entry of an id, nil where there is none.
func (t *table) find(id string) *entry {
	key := keyOf(id)
	i, ok := slices.BinarySearchFunc(t.entries, key, func(e entry, key [16]byte) int { return bytes.Compare(e.key[:], key[:]) })
	if !ok {
		return nil
	}
	return &t.entries[i]
}

// unseen counts the entries that no trajectory has asked for, and gives the lowest
// line of them.
func (t *table) unseen() (n int, line uint32) {
	for _, e := range t.entries {
		if e.seen {
			continue
		}
		n++
		if line == 0 || e.line < line {
			line = e.line
		}
	}
	return n, line
}
