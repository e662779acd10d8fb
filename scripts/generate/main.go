// Command generate writes the reference pages that follow from the code. It is
// run from the module root, by make generate.
package main

import (
	"fmt"
	"os"
)

func main() {
	page, err := schemaPage("schemas")
	if err == nil {
		err = os.WriteFile("docs/schemas.md", page, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}
