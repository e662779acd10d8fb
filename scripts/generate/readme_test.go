package main

import (
	"os"
	"regexp"
	"testing"
)

// TestReadme holds that every make target and every page that README.md names
// is there.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	targets := regexp.MustCompile(`(?m)^make ([a-z-]+)`).FindAllSubmatch(readme, -1)
	if len(targets) == 0 {
		t.Error("README.md names no make target")
	}
	for _, m := range targets {
		if !regexp.MustCompile(`(?m)^` + string(m[1]) + `:`).Match(makefile) {
			t.Errorf("README.md names make %s, which Makefile lacks", m[1])
		}
	}
	pages := regexp.MustCompile(`\]\(([^)]+)\)`).FindAllSubmatch(readme, -1)
	if len(pages) == 0 {
		t.Error("README.md links no page")
	}
	for _, m := range pages {
		if _, err := os.Stat("../../" + string(m[1])); err != nil {
			t.Errorf("README.md links a page that is not there: %v", err)
		}
	}
}
