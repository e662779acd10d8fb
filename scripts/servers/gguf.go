package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// gguf is a model file as llama.cpp and Ollama read it, version 3: what is said
// about the model, in this order, and its tensors.
type gguf struct {
	about   []entry
	tensors []tensor
}

// entry is a key and its value: uint32, float32, bool, string, []string or []int32.
type entry struct {
	key   string
	value any
}

// tensor is a matrix of float32: shape[0] numbers in a row, and shape[1] rows where
// there is a second.
type tensor struct {
	name   string
	shape  []int
	values []float32
}

// ggufAlign is where the data of a tensor may begin.
const ggufAlign = 32

// The types of values in the format.
const (
	ggufInt32   = 5
	ggufUint32  = 4
	ggufFloat32 = 6
	ggufBool    = 7
	ggufString  = 8
	ggufArray   = 9
)

// write writes the file.
func (g gguf) write(w io.Writer) error {
	var head bytes.Buffer
	head.WriteString("GGUF")
	number(&head, uint32(3), uint64(len(g.tensors)), uint64(len(g.about)))
	for _, e := range g.about {
		text(&head, e.key)
		if err := value(&head, e.value); err != nil {
			return fmt.Errorf("%s: %w", e.key, err)
		}
	}
	offset := uint64(0)
	for _, t := range g.tensors {
		text(&head, t.name)
		number(&head, uint32(len(t.shape)))
		size := 1
		for _, n := range t.shape {
			number(&head, uint64(n))
			size *= n
		}
		if size != len(t.values) {
			return fmt.Errorf("%s: %d values in the shape %v", t.name, len(t.values), t.shape)
		}
		number(&head, uint32(0), offset) // 0: float32
		offset = aligned(offset + uint64(4*size))
	}
	pad(&head)
	if _, err := w.Write(head.Bytes()); err != nil {
		return err
	}
	for _, t := range g.tensors {
		var data bytes.Buffer
		number(&data, t.values)
		pad(&data)
		if _, err := w.Write(data.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

func aligned(n uint64) uint64 { return (n + ggufAlign - 1) / ggufAlign * ggufAlign }

func pad(b *bytes.Buffer) {
	b.Write(make([]byte, aligned(uint64(b.Len()))-uint64(b.Len())))
}

// number writes numbers, or slices of them, in little endian.
func number(b *bytes.Buffer, values ...any) {
	for _, v := range values {
		_ = binary.Write(b, binary.LittleEndian, v) // a buffer takes all
	}
}

func text(b *bytes.Buffer, s string) {
	number(b, uint64(len(s)))
	b.WriteString(s)
}

func value(b *bytes.Buffer, v any) error {
	switch v := v.(type) {
	case uint32:
		number(b, uint32(ggufUint32), v)
	case float32:
		number(b, uint32(ggufFloat32), v)
	case bool:
		number(b, uint32(ggufBool), v)
	case string:
		number(b, uint32(ggufString))
		text(b, v)
	case []string:
		number(b, uint32(ggufArray), uint32(ggufString), uint64(len(v)))
		for _, s := range v {
			text(b, s)
		}
	case []int32:
		number(b, uint32(ggufArray), uint32(ggufInt32), uint64(len(v)), v)
	default:
		return fmt.Errorf("values of type %T are not written", v)
	}
	return nil
}
