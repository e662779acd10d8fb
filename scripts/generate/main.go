// Command generate writes the reference pages that follow from the code. It is
// run from the module root, by make generate.
package main

import (
	"fmt"
	"os"

	"github.com/medgym-data/medgym-data/datasets/all"
)

func main() {
	if err := generate(); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func generate() error {
	columns, err := schemaPage("schemas")
	if err != nil {
		return err
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		return err
	}
	registry := all.Registry()
	if readme, err = withTable(readme, registry); err != nil {
		return err
	}
	boxes, err := os.ReadFile("docs/sandbox.md")
	if err != nil {
		return err
	}
	if boxes, err = withAbuse(boxes, "namespace", "docker"); err != nil {
		return err
	}
	for name, page := range map[string][]byte{
		"docs/schemas.md": columns, "docs/sources.md": sourcesPage(registry), "README.md": readme, "docs/sandbox.md": boxes,
	} {
		if err := os.WriteFile(name, page, 0o644); err != nil {
			return err
		}
	}
	return nil
}
