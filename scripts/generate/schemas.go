package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
)

// tables are the row types in the order of the page; a struct that a column
// holds is described after the tables.
var tables = []string{"Task", "ScreenedTask", "TaskValidation", "Trajectory", "Prefix", "SFT", "DPO", "Verifier"}

// schemaPage describes every column of every table from the Go types of the
// package in dir: name, type and the comment beside it.
func schemaPage(dir string) ([]byte, error) {
	structs, comments, aliases, err := parseStructs(dir)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.WriteString("# Columns\n\n<!-- Made by make generate from the Go types in schemas/. Do not edit. -->\n\n" +
		"Every column is nullable. An empty string is written as null. `MSG` is `list<struct<role, content>>`.\n")

	done := map[string]bool{"Message": true}
	queue := append([]string(nil), tables...)
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		if done[name] {
			continue
		}
		done[name] = true
		st, ok := structs[name]
		if !ok {
			return nil, fmt.Errorf("%s: no struct %s", dir, name)
		}
		fmt.Fprintf(&out, "\n## %s\n\n%s\n| column | type | |\n|---|---|---|\n", name, comments[name])
		for _, field := range st.Fields.List {
			if len(field.Names) == 0 {
				fmt.Fprintf(&out, "| the columns of %s | | |\n", exprName(field.Type))
				continue
			}
			column, tag, err := columnOf(field)
			if err != nil {
				return nil, fmt.Errorf("%s.%s: %w", name, field.Names[0].Name, err)
			}
			text, inner := typeName(field.Type, tag, structs, aliases)
			if inner != "" {
				queue = append(queue, inner)
			}
			fmt.Fprintf(&out, "| `%s` | %s | %s |\n", column, text, cell(field))
		}
	}
	return out.Bytes(), nil
}

// parseStructs gives the structs of a package, their comments as text, and the
// names that stand for another type.
func parseStructs(dir string) (map[string]*ast.StructType, map[string]string, map[string]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, nil, nil, err
	}
	structs, comments, aliases := map[string]*ast.StructType{}, map[string]string{}, map[string]string{}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return nil, nil, nil, err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, src, parser.ParseComments)
		if err != nil {
			return nil, nil, nil, err
		}
		for _, decl := range file.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok || gen.Tok != token.TYPE {
				continue
			}
			for _, spec := range gen.Specs {
				ts := spec.(*ast.TypeSpec)
				switch typ := ts.Type.(type) {
				case *ast.StructType:
					structs[ts.Name.Name] = typ
					comments[ts.Name.Name] = string(new(doc.Package).Markdown(gen.Doc.Text()))
				case *ast.Ident:
					aliases[ts.Name.Name] = typ.Name
				}
			}
		}
	}
	return structs, comments, aliases, nil
}

// columnOf reads the column's name from the parquet tag.
func columnOf(field *ast.Field) (column, tag string, err error) {
	if field.Tag == nil {
		return "", "", fmt.Errorf("no tag")
	}
	raw, err := strconv.Unquote(field.Tag.Value)
	if err != nil {
		return "", "", err
	}
	tag = reflect.StructTag(raw).Get("parquet")
	column, _, _ = strings.Cut(tag, ",")
	if column == "" {
		return "", "", fmt.Errorf("no parquet tag")
	}
	return column, tag, nil
}

// typeName is a column's type as the docs write it, and the struct it holds.
func typeName(expr ast.Expr, tag string, structs map[string]*ast.StructType, aliases map[string]string) (text, inner string) {
	switch e := expr.(type) {
	case *ast.StarExpr:
		return typeName(e.X, tag, structs, aliases)
	case *ast.ArrayType:
		element, inner := typeName(e.Elt, tag, structs, aliases)
		if element == "struct Message" {
			return "MSG", ""
		}
		return "list of " + element, inner
	case *ast.SelectorExpr: // time.Time
		if strings.Contains(tag, "timestamp(microsecond)") {
			return "timestamp(us, UTC)", ""
		}
	}
	name := exprName(expr)
	if alias, ok := aliases[name]; ok {
		name = alias
	}
	if _, ok := structs[name]; ok {
		return "struct " + name, name
	}
	if name == "float64" {
		return "double", ""
	}
	return name, ""
}

func exprName(expr ast.Expr) string {
	switch e := expr.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return exprName(e.X) + "." + e.Sel.Name
	default:
		return fmt.Sprintf("%T", expr)
	}
}

// cell is the comment on a field, fit for a table.
func cell(field *ast.Field) string {
	text := strings.Join(strings.Fields(field.Comment.Text()), " ")
	return strings.NewReplacer("|", "\\|", "<", "&lt;").Replace(text)
}
