package main

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"strings"
	"testing"
)

// header reads the part of a model file before the data: the keys in order, and for
// each tensor its shape and where its data begins.
type header struct {
	t    *testing.T
	from *bytes.Reader
}

func (h header) number(v any) {
	h.t.Helper()
	if err := binary.Read(h.from, binary.LittleEndian, v); err != nil {
		h.t.Fatal(err)
	}
}

func (h header) text() string {
	h.t.Helper()
	var n uint64
	h.number(&n)
	text := make([]byte, min(n, uint64(h.from.Len())))
	if _, err := io.ReadFull(h.from, text); err != nil || uint64(len(text)) != n {
		h.t.Fatalf("a text of %d bytes: %v", n, err)
	}
	return string(text)
}

// skip passes over a value.
func (h header) skip(kind uint32) {
	h.t.Helper()
	switch kind {
	case ggufBool:
		h.number(new(bool))
	case ggufUint32, ggufInt32, ggufFloat32:
		h.number(new(uint32))
	case ggufString:
		h.text()
	case ggufArray:
		var of uint32
		var n uint64
		h.number(&of)
		h.number(&n)
		for range n {
			h.skip(of)
		}
	default:
		h.t.Fatalf("a value of type %d", kind)
	}
}

func TestGGUF(t *testing.T) {
	g := tiny(1, 4_096)
	var file bytes.Buffer
	if err := g.write(&file); err != nil {
		t.Fatal(err)
	}
	h := header{t, bytes.NewReader(file.Bytes())}
	magic := make([]byte, 4)
	h.number(magic)
	var version uint32
	var tensors, entries uint64
	h.number(&version)
	h.number(&tensors)
	h.number(&entries)
	if string(magic) != "GGUF" || version != 3 || tensors != uint64(len(g.tensors)) || entries != uint64(len(g.about)) {
		t.Fatalf("%q version %d with %d entries and %d tensors", magic, version, entries, tensors)
	}
	for _, e := range g.about {
		var kind uint32
		if key := h.text(); key != e.key {
			t.Fatalf("key %q, want %q", key, e.key)
		}
		h.number(&kind)
		h.skip(kind)
	}
	offsets := make([]uint64, len(g.tensors))
	for i, want := range g.tensors {
		var dims, kind uint32
		if name := h.text(); name != want.name {
			t.Fatalf("tensor %q, want %q", name, want.name)
		}
		h.number(&dims)
		shape := make([]uint64, dims)
		h.number(shape)
		h.number(&kind)
		h.number(&offsets[i])
		if len(shape) != len(want.shape) || shape[0] != uint64(want.shape[0]) || kind != 0 || offsets[i]%ggufAlign != 0 {
			t.Errorf("%s: shape %v, type %d, at %d", want.name, shape, kind, offsets[i])
		}
	}
	data := aligned(uint64(file.Len() - h.from.Len()))
	for i, want := range g.tensors {
		got := make([]float32, len(want.values))
		if _, err := h.from.Seek(int64(data+offsets[i]), io.SeekStart); err != nil {
			t.Fatal(err)
		}
		h.number(got)
		if !slices.Equal(got, want.values) {
			t.Errorf("%s: the values at its offset are others", want.name)
		}
	}
	if n := uint64(file.Len()); n%ggufAlign != 0 {
		t.Errorf("the file ends at %d", n)
	}
}

func TestGGUFRefuses(t *testing.T) {
	for name, g := range map[string]gguf{
		"a value of a type that is not written": {about: []entry{{"key", 1.5}}},
		"values that do not fill the shape":     {tensors: []tensor{{"t", []int{2, 2}, make([]float32, 3)}}},
	} {
		if g.write(io.Discard) == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestTinyIsRepeatable(t *testing.T) {
	write := func(seed uint64) []byte {
		var b bytes.Buffer
		if err := tiny(seed, 512).write(&b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	if !bytes.Equal(write(1), write(1)) {
		t.Error("the same seed gives another model")
	}
	if bytes.Equal(write(1), write(2)) {
		t.Error("another seed gives the same model")
	}
}

func TestVocabulary(t *testing.T) {
	tokens, merges := vocabulary()
	ids := map[string]int{}
	for i, token := range tokens {
		if _, double := ids[token]; double {
			t.Errorf("token %q is there twice", token)
		}
		ids[token] = i
	}
	for _, l := range byteLetters() {
		if _, ok := ids[string(l)]; !ok {
			t.Errorf("no token for the byte that %q stands for", l)
		}
	}
	for _, merge := range merges {
		left, right, _ := strings.Cut(merge, " ")
		for _, token := range []string{left, right, left + right} {
			if _, ok := ids[token]; !ok {
				t.Errorf("merge %q: no token %q", merge, token)
			}
		}
	}
	// The bodies of the trial tools name these by number.
	for token, id := range map[string]int{"<|end|>": 1, "<tool_call>": 5, "</tool_call>": 6, `"`: 41} {
		if ids[token] != id {
			t.Errorf("token %q has the id %d, not %d", token, ids[token], id)
		}
	}
	if tokens[ending] != "<|end|>" {
		t.Errorf("replies end with %q", tokens[ending])
	}
}
