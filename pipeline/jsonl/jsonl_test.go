package jsonl

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

// kept is a Line whose data outlives the callback.
type kept struct {
	number int64
	data   string
	size   int64
	sum    [32]byte
	fault  Fault
}

func collect(lines *[]kept) func(Line) error {
	return func(l Line) error {
		*lines = append(*lines, kept{l.Number, string(l.Data), l.Size, l.SHA256, l.Fault})
		return nil
	}
}

// row is what a line without fault looks like.
func row(number int64, data string) kept {
	return kept{number, data, int64(len(data)), sha256.Sum256([]byte(data)), ""}
}

// faulty is a line with a fault; content is what stood in the file.
func faulty(number int64, content string, fault Fault) kept {
	k := row(number, content)
	k.fault = fault
	if fault == TooLong {
		k.data = ""
	}
	return k
}

func TestRead(t *testing.T) {
	const most = 8
	wide := strings.Repeat("w", 200_000) // longer than the reader's own buffer
	tests := []struct {
		name, in string
		want     []kept
	}{
		{"empty", "", nil},
		{"one line", "{}\n", []kept{row(1, "{}")}},
		{"last line without ending", "{}\n[]", []kept{row(1, "{}"), row(2, "[]")}},
		{"CRLF", "{}\r\n[]\r\n", []kept{row(1, "{}"), row(2, "[]")}},
		{"CR at the end of the file", "{}\n[]\r", []kept{row(1, "{}"), row(2, "[]")}},
		{"CR inside", "a\rb\n", []kept{row(1, "a\rb")}},
		{"two CR", "ab\r\r\n", []kept{row(1, "ab\r")}},
		{"blank lines count", "\n \t\r\n{}\n\n\n[]\n\n", []kept{row(3, "{}"), row(6, "[]")}},
		{"only blank lines", "\n\r\n  \n", nil},
		{"BOM", "\xef\xbb\xbf{}\n[]\n", []kept{row(1, "{}"), row(2, "[]")}},
		{"BOM alone", "\xef\xbb\xbf", nil},
		{"BOM on a blank line", "\xef\xbb\xbf\r\n{}\n", []kept{row(2, "{}")}},
		{"part of a BOM", "\xef\xbb", []kept{faulty(1, "\xef\xbb", InvalidUTF8)}},
		{"BOM elsewhere stays", "{}\n\xef\xbb\xbf[]\n", []kept{row(1, "{}"), row(2, "\xef\xbb\xbf[]")}},
		{"space is kept", "  {} \n", []kept{row(1, "  {} ")}},
		{"NUL", "a\x00b\n", []kept{row(1, "a\x00b")}},
		{"invalid UTF-8", "\"\xff\"\n{}\n", []kept{faulty(1, "\"\xff\"", InvalidUTF8), row(2, "{}")}},
		{"encoded surrogate", "\xed\xa0\x80\n", []kept{faulty(1, "\xed\xa0\x80", InvalidUTF8)}},
		{"invalid UTF-8 beside a blank", "\xff\n\n", []kept{faulty(1, "\xff", InvalidUTF8)}},
		{"longest line", "12345678\n{}\n", []kept{row(1, "12345678"), row(2, "{}")}},
		{"longest line with CRLF", "12345678\r\n{}\r\n", []kept{row(1, "12345678"), row(2, "{}")}},
		{"longest line at the end", "12345678", []kept{row(1, "12345678")}},
		{"longest line after a BOM", "\xef\xbb\xbf12345678\n", []kept{row(1, "12345678")}},
		{"too long by one", "123456789\n{}\n", []kept{faulty(1, "123456789", TooLong), row(2, "{}")}},
		{"too long by one with CRLF", "123456789\r\n{}\n", []kept{faulty(1, "123456789", TooLong), row(2, "{}")}},
		{"too long and not UTF-8", "12345678\xff\n", []kept{faulty(1, "12345678\xff", TooLong)}},
		{"too long and blank", "         \n", []kept{faulty(1, "         ", TooLong)}},
		{"far too long", wide + "\n{}\n", []kept{faulty(1, wide, TooLong), row(2, "{}")}},
		{"far too long with CRLF", wide + "\r\n{}\r\n", []kept{faulty(1, wide, TooLong), row(2, "{}")}},
		{"far too long, of CR", strings.Repeat("\r", 200_000) + "\n{}\n", []kept{faulty(1, strings.Repeat("\r", 199_999), TooLong), row(2, "{}")}},
		{"far too long at the end", "{}\n" + wide, []kept{row(1, "{}"), faulty(2, wide, TooLong)}},
		{"far too long at the end with CR", wide + "\r", []kept{faulty(1, wide, TooLong)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []kept
			if err := Read(t.Context(), strings.NewReader(tt.in), Options{Max: most}, collect(&got)); err != nil {
				t.Fatal(err)
			}
			same(t, got, tt.want)
		})
	}
}

func same(t *testing.T, got, want []kept) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	t.Errorf("got  %s\nwant %s", show(got), show(want))
}

func show(lines []kept) string {
	var out []string
	for _, l := range lines {
		out = append(out, fmt.Sprintf("%d:%.40q (%d bytes, %x, %s)", l.number, l.data, l.size, l.sum[:4], l.fault))
	}
	return strings.Join(out, " | ")
}

// A line at either side of the reader's own buffer, with each ending.
func TestReadAroundBuffer(t *testing.T) {
	const buffer = 1 << 16
	for size := buffer - 3; size <= buffer+3; size++ {
		for _, ending := range []string{"\n", "\r\n"} {
			text := strings.Repeat("x", size)
			for _, most := range []int{size - 1, size, buffer - 2, 2 * buffer} {
				var got []kept
				if err := Read(t.Context(), strings.NewReader(text+ending+"{}"+ending), Options{Max: most}, collect(&got)); err != nil {
					t.Fatal(err)
				}
				want := []kept{row(1, text), row(2, "{}")}
				if size > most {
					want[0] = faulty(1, text, TooLong)
				}
				same(t, got, want)
			}
		}
	}
}

// long gives n bytes of x and an ending, holding none of them.
func long(n int64, ending string) io.Reader {
	return io.MultiReader(io.LimitReader(repeat('x'), n), strings.NewReader(ending))
}

type repeat byte

func (b repeat) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}

func TestHugeLineInBoundedMemory(t *testing.T) {
	const size = 100 << 20
	in := io.MultiReader(strings.NewReader("{}\n"), long(size, "\r\n"), strings.NewReader("[]"))
	hash := sha256.New()
	if _, err := io.Copy(hash, long(size, "")); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var got []kept
	err := Read(t.Context(), in, Options{Max: 1 << 20}, collect(&got))
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	want := []kept{row(1, "{}"), {number: 2, size: size, sum: [32]byte(hash.Sum(nil)), fault: TooLong}, row(3, "[]")}
	same(t, got, want)
	// Heap growth, garbage included: the line itself never is in memory.
	if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 32<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > size/2 {
		t.Errorf("%d MiB were allocated on the way", allocated>>20)
	}
}

func TestReadStops(t *testing.T) {
	stop := errors.New("enough")
	n := 0
	err := Read(t.Context(), strings.NewReader("1\n2\n3\n"), Options{}, func(Line) error {
		if n++; n == 2 {
			return stop
		}
		return nil
	})
	if err != stop || n != 2 {
		t.Errorf("yield's error: %v after %d lines", err, n)
	}

	ctx, cancel := context.WithCancel(t.Context())
	n = 0
	err = Read(ctx, strings.NewReader("1\n2\n3\n"), Options{}, func(Line) error { n++; cancel(); return nil })
	if !errors.Is(err, context.Canceled) || n != 1 {
		t.Errorf("cancelled between lines: %v after %d lines", err, n)
	}
	// A line without end must not outlast its context.
	ctx, cancel = context.WithCancel(t.Context())
	reads := 0
	endless := readerFunc(func(p []byte) (int, error) {
		if reads++; reads == 5 {
			cancel()
		}
		return repeat('x').Read(p)
	})
	if err := Read(ctx, endless, Options{Max: 10}, func(Line) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled in a line: %v", err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestReadFaults(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, tt := range []struct {
		before string
		line   int64
		rows   int
	}{{"", 1, 0}, {"\xef", 1, 0}, {"{", 1, 0}, {"{}\n", 2, 1}, {"{}\n\n[]\n\"cut", 4, 2}, {"{}\n" + strings.Repeat("x", 200_000), 2, 1}} {
		var got []kept
		// failOnce: a reader need not repeat its error.
		in := io.MultiReader(strings.NewReader(tt.before), &failOnce{err: broken}, strings.NewReader("more\n"))
		err := Read(t.Context(), in, Options{Max: 100}, collect(&got))
		var fault *Error
		if !errors.As(err, &fault) || fault.Line != tt.line || !errors.Is(err, broken) || len(got) != tt.rows {
			t.Errorf("after %.10q: %v, %d rows; want line %d, %d rows", tt.before, err, len(got), tt.line, tt.rows)
		}
	}
}

type failOnce struct {
	err  error
	done bool
}

func (f *failOnce) Read([]byte) (int, error) {
	if f.done {
		return 0, io.EOF
	}
	f.done = true
	return 0, f.err
}

func packed(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := io.WriteString(z, text)
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func put(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadFile(t *testing.T) {
	for name, data := range map[string][]byte{
		"plain.jsonl":       []byte("\xef\xbb\xbf{}\r\n\r\n[]"),
		"packed.jsonl.gz":   packed(t, "\xef\xbb\xbf{}\r\n\r\n[]"),
		"members.jsonl.gz":  append(packed(t, "\xef\xbb\xbf{}\r\n\r"), packed(t, "\n[]\n")...),
		"empty-member.gz":   append(packed(t, ""), packed(t, "{}\n\n[]")...),
		"notreally.jsonl.g": []byte("{}\n\n[]"),
	} {
		var got []kept
		if err := ReadFile(t.Context(), put(t, name, data), Options{}, collect(&got)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		same(t, got, []kept{row(1, "{}"), row(3, "[]")})
	}
}

func TestReadFileFaults(t *testing.T) {
	text := strings.Repeat("{}\n", 5) + `"` + strings.Repeat("0123456789abcdef", 4096) + "\"\n"
	whole := packed(t, text)
	flipped := slices.Clone(whole)
	flipped[len(flipped)-8] ^= 1 // the checksum
	folder := t.TempDir()
	absent := filepath.Join(folder, "absent.jsonl")
	tests := []struct {
		name, path string
		line       int64
		cause      error
		want       string
	}{
		{"absent", absent, 0, os.ErrNotExist, absent + ": no such file or directory"},
		{"folder", folder, 1, syscall.EISDIR, folder + ":1: is a directory"},
		{"empty gzip", put(t, "a.gz", nil), 1, io.ErrUnexpectedEOF, "the gzip stream is cut short"},
		{"gzip cut in its header", put(t, "a.gz", whole[:5]), 1, io.ErrUnexpectedEOF, "the gzip stream is cut short"},
		{"gzip cut in its data", put(t, "a.gz", whole[:len(whole)-20]), 6, io.ErrUnexpectedEOF, "the gzip stream is cut short"},
		{"gzip cut in its end", put(t, "a.gz", whole[:len(whole)-1]), 7, io.ErrUnexpectedEOF, "the gzip stream is cut short"},
		{"gzip with a wrong checksum", put(t, "a.gz", flipped), 7, nil, "the gzip stream is damaged"},
		{"no gzip", put(t, "a.gz", []byte("{}\n")), 1, nil, "the gzip stream is"},
		{"text after gzip", put(t, "a.gz", append(slices.Clone(whole), "{}\n{}\n{}\n{}\n{}\n"...)), 7, nil, "the gzip stream is damaged"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := ReadFile(t.Context(), tt.path, Options{}, func(Line) error { return nil })
			var fault *Error
			if !errors.As(err, &fault) {
				t.Fatalf("%v", err)
			}
			if fault.File != tt.path || fault.Line != tt.line || tt.cause != nil && !errors.Is(err, tt.cause) {
				t.Errorf("%+v: %v", fault, err)
			}
			if !strings.Contains(err.Error(), tt.want) || strings.Count(err.Error(), tt.path) != 1 {
				t.Errorf("message: %v", err)
			}
		})
	}
	stop := errors.New("enough")
	if err := ReadFile(t.Context(), put(t, "a", []byte("{}")), Options{}, func(Line) error { return stop }); err != stop {
		t.Errorf("yield's error: %v", err)
	}
}

// naive is Read in memory, with no regard for size.
func naive(text string, most int) []kept {
	var out []kept
	text = strings.TrimPrefix(text, "\xef\xbb\xbf")
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSuffix(line, "\r")
		switch {
		case len(line) > most:
			out = append(out, faulty(int64(i+1), line, TooLong))
		case strings.Trim(line, " \t\r") == "":
		case !utf8.ValidString(line):
			out = append(out, faulty(int64(i+1), line, InvalidUTF8))
		default:
			out = append(out, row(int64(i+1), line))
		}
	}
	return out
}

// FuzzRead compares with naive, however the reader hands the bytes over. ~ stands
// for more bytes than the reader's buffer holds, so that long lines are tried too.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{"", "\xef\xbb\xbf{}\r\n\n[]", "~\n{}\r\n~~\r", "~\r~\r\n\xff\n \t\r\n", "\r\r\n\r", "12345\n123456\n"} {
		f.Add(seed, uint16(5))
	}
	f.Fuzz(func(t *testing.T, text string, most uint16) {
		if strings.Count(text, "~") > 4 || most == 0 {
			t.Skip()
		}
		text = strings.ReplaceAll(text, "~", strings.Repeat("~", 1<<16-7))
		want := naive(text, int(most))
		for name, in := range map[string]io.Reader{
			"whole": strings.NewReader(text), "halves": iotest.HalfReader(strings.NewReader(text)), "with EOF": iotest.DataErrReader(strings.NewReader(text)),
		} {
			var got []kept
			if err := Read(t.Context(), in, Options{Max: int(most)}, collect(&got)); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			same(t, got, want)
		}
	})
}

// FuzzGunzip gives damaged streams: what comes out is an *Error or the content.
func FuzzGunzip(f *testing.F) {
	whole := packed(f, "{}\n[1,2,3]\n")
	f.Add(whole)
	f.Add(whole[:12])
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		in, err := Gunzip("a.gz", bytes.NewReader(data))
		if err == nil {
			err = Read(t.Context(), io.LimitReader(in, 1<<20), Options{Max: 1 << 10}, func(Line) error { return nil })
		}
		var fault *Error
		if err != nil && (!errors.As(err, &fault) || fault.Line < 1) {
			t.Errorf("%v", err)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	text := strings.Repeat(`{"question":"`+strings.Repeat("what ", 300)+`"}`+"\n", 1000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if err := Read(b.Context(), strings.NewReader(text), Options{}, func(Line) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
