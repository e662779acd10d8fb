// Package all lists every source. The list is explicit and generated, nothing
// registers itself: add a folder below datasets/ that has New, and generate.
package all

//go:generate go run ./gen
