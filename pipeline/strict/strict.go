// Package strict reads the YAML files that people write for a command: records of
// agreements, attestations, prices. A slip in one is a fault with its line.
package strict

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/medgym-data/medgym-data/pipeline"
)

// MaxBytes of a file. They are written by hand.
const MaxBytes = 1 << 20

// Document is a YAML file that is read strictly: an unknown key, a key twice, a
// value of another kind are faults, each with its line. A slip in such a file must
// never come to mean permission.
type Document struct{ File string }

// Fault makes an InputError at a node.
func (d Document) Fault(n *yaml.Node, do, format string, args ...any) error {
	return pipeline.BadInput(d.File, int64(n.Line), fmt.Sprintf(format, args...), do)
}

// Read reads a file and gives its root.
func Read(file string) (Document, *yaml.Node, error) {
	d := Document{file}
	text, err := readLimited(file)
	if err != nil {
		return d, nil, err
	}
	root, err := d.Parse(text)
	return d, root, err
}

func readLimited(file string) ([]byte, error) {
	// A folder or a pipe in its place is no file of records, and a pipe would wait.
	info, err := os.Stat(file)
	if err == nil && !info.Mode().IsRegular() {
		return nil, pipeline.BadInput(file, 0, "is not a file", "name a YAML file")
	}
	var f *os.File
	if err == nil {
		f, err = os.Open(file)
	}
	if err != nil {
		var cause *fs.PathError
		if errors.As(err, &cause) {
			err = cause.Err
		}
		return nil, &pipeline.InputError{File: file, What: "cannot be read", Err: err, Do: "check that the path is right"}
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxBytes+1))
	if err != nil {
		return nil, &pipeline.InputError{File: file, What: "cannot be read", Err: err}
	}
	if len(text) > MaxBytes {
		return nil, pipeline.BadInput(file, 0, fmt.Sprintf("is above %d bytes", MaxBytes), "check that it is the right file")
	}
	return text, nil
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// Parse gives the root of a text that stands for the file.
func (d Document) Parse(text []byte) (*yaml.Node, error) {
	if !utf8.Valid(text) {
		return nil, pipeline.BadInput(d.File, 0, "is not UTF-8", "save it as UTF-8")
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, pipeline.BadInput(d.File, 0, "is empty", "")
	} else if err != nil {
		return nil, d.syntax(err)
	}
	switch err := dec.Decode(&more); {
	case errors.Is(err, io.EOF):
	case err != nil:
		return nil, d.syntax(err)
	default:
		return nil, d.Fault(&more, "keep one", "is a second document")
	}
	if err := d.plain(&doc); err != nil {
		return nil, err
	}
	return doc.Content[0], nil
}

func (d Document) syntax(err error) error {
	text := err.Error()
	line := int64(0)
	if at := yamlLine.FindStringSubmatch(text); at != nil {
		text = strings.TrimPrefix(text, at[0])
		line, _ = strconv.ParseInt(at[1], 10, 64) // none: 0
	}
	return pipeline.BadInput(d.File, line, "is not YAML: "+text, "")
}

// plain refuses anchors and aliases: a record is to be read where it stands.
func (d Document) plain(n *yaml.Node) error {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		return d.Fault(n, "write the value out", "anchors and aliases are not read here")
	}
	for _, c := range n.Content {
		if err := d.plain(c); err != nil {
			return err
		}
	}
	return nil
}

// Fields are the values of a mapping by key.
func (d Document) Fields(n *yaml.Node, what string, known ...string) (map[string]*yaml.Node, error) {
	if n.Kind != yaml.MappingNode {
		return nil, d.Fault(n, "", "%s is not a mapping with the keys %s", what, strings.Join(known, ", "))
	}
	out := map[string]*yaml.Node{}
	for key, value := range pairs(n) {
		switch {
		case !slices.Contains(known, key.Value) || key.Kind != yaml.ScalarNode:
			return nil, d.Fault(key, "", "unknown key %q in %s; known: %s", key.Value, what, strings.Join(known, ", "))
		case out[key.Value] != nil:
			return nil, d.Fault(key, "keep one", "key %q is there twice in %s", key.Value, what)
		}
		out[key.Value] = value
	}
	return out, nil
}

// Named are the values of a mapping whose keys are names that the user chose.
func (d Document) Named(n *yaml.Node, what string) (map[string]*yaml.Node, error) {
	if n.Kind != yaml.MappingNode {
		return nil, d.Fault(n, "", "%s is not a mapping by name", what)
	}
	out := map[string]*yaml.Node{}
	for key, value := range pairs(n) {
		name, err := d.Text(key, "a name in "+what)
		switch {
		case err != nil:
			return nil, err
		case out[name] != nil:
			return nil, d.Fault(key, "keep one", "%q is there twice in %s", name, what)
		}
		out[name] = value
	}
	return out, nil
}

// pairs are the keys and values of a mapping, in order.
func pairs(n *yaml.Node) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(*yaml.Node, *yaml.Node) bool) {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i], n.Content[i+1]) {
				return
			}
		}
	}
}

// Text is a value on one line. What a template leaves to be filled in is none.
func (d Document) Text(n *yaml.Node, key string) (string, error) {
	value := strings.TrimSpace(n.Value)
	switch {
	case n.Kind != yaml.ScalarNode:
		return "", d.Fault(n, "", "%s is not a text", key)
	case n.ShortTag() == "!!null" || value == "":
		return "", d.Fault(n, "fill it in", "%s is empty", key)
	case strings.HasPrefix(value, "<") && strings.HasSuffix(value, ">"):
		return "", d.Fault(n, "fill it in", "%s is still the one of the template", key)
	case strings.ContainsFunc(value, unicode.IsControl):
		return "", d.Fault(n, "write it on one line", "%s holds a control character", key)
	}
	return value, nil
}

// Texts is one text or a list of them, none twice.
func (d Document) Texts(n *yaml.Node, key string) ([]string, error) {
	nodes := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		nodes = n.Content
	}
	var out []string
	for _, item := range nodes {
		value, err := d.Text(item, key)
		if err != nil {
			return nil, err
		}
		if slices.Contains(out, value) {
			return nil, d.Fault(item, "keep one", "%s names %q twice", key, value)
		}
		out = append(out, value)
	}
	if len(out) == 0 {
		return nil, d.Fault(n, "fill it in", "%s is empty", key)
	}
	return out, nil
}

// Date is a day, as text: dates of this form compare as text does.
func (d Document) Date(n *yaml.Node, key string) (string, error) {
	value, err := d.Text(n, key)
	if err != nil {
		return "", err
	}
	if _, err := time.Parse(time.DateOnly, value); err != nil {
		return "", d.Fault(n, "write it as 2026-01-31", "%s is not a date", key)
	}
	return value, nil
}

// Flag is true or false.
func (d Document) Flag(n *yaml.Node, key string) (bool, error) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" {
		return false, d.Fault(n, "", "%s is not true or false", key)
	}
	var value bool
	if err := n.Decode(&value); err != nil {
		return false, d.Fault(n, "", "%s is not true or false", key)
	}
	return value, nil
}

// Number is a number that is not negative.
func (d Document) Number(n *yaml.Node, key string) (float64, error) {
	var value float64
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" && n.ShortTag() != "!!float" || n.Decode(&value) != nil || math.IsNaN(value) || math.IsInf(value, 0) {
		return 0, d.Fault(n, "", "%s is not a number", key)
	}
	if value < 0 {
		return 0, d.Fault(n, "", "%s is negative", key)
	}
	return value, nil
}
