package schemas_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/parquet-go/parquet-go"

	"github.com/medgym-data/medgym-data/schemas"
)

// What the Arrow schema declares must be what the row type writes: names, order,
// types, nullability, and the 3-level form of every list.
func TestArrowAgreesWithParquet(t *testing.T) {
	rows := map[string]any{
		"tasks": schemas.Task{}, "screening": schemas.ScreenedTask{}, "validation": schemas.TaskValidation{}, "trajectories": schemas.Trajectory{},
		"sft": schemas.SFT{}, "dpo": schemas.DPO{}, "verifier": schemas.Verifier{},
	}
	tables := schemas.Tables()
	if len(tables) != len(rows) {
		t.Fatalf("%d tables, %d row types", len(tables), len(rows))
	}
	for _, table := range tables {
		t.Run(table.Name, func(t *testing.T) {
			var got []arrow.Field
			for _, f := range parquet.SchemaOf(rows[table.Name]).Fields() {
				field, err := fieldOf(f)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, field)
			}
			if have := arrow.NewSchema(got, nil); !have.Equal(table.Arrow) {
				t.Errorf("the row type writes\n%s\nand the Arrow schema declares\n%s", have, table.Arrow)
			}
		})
	}
}

// Column names that trainers read a meaning into.
func TestNoReservedColumns(t *testing.T) {
	reserved := []string{"text", "conversations", "input", "system", "labels", "input_ids", "attention_mask",
		"completion_mask", "image", "images", "chat_template_kwargs", "margin"}
	for _, table := range schemas.Tables()[4:] {
		for _, f := range table.Arrow.Fields() {
			if slices.Contains(reserved, f.Name) {
				t.Errorf("%s has a column %s", table.Name, f.Name)
			}
			if f.Name == "messages" && (table.Arrow.HasField("prompt") || table.Arrow.HasField("chosen")) {
				t.Errorf("%s has messages beside prompt or chosen", table.Name)
			}
		}
	}
}

// fieldOf reads a Parquet node as Arrow's readers do, and refuses every other form
// than the ones in the contract.
func fieldOf(node parquet.Field) (arrow.Field, error) {
	if !node.Optional() {
		return arrow.Field{}, fmt.Errorf("%s is not optional", node.Name())
	}
	typ, err := typeOf(node)
	return arrow.Field{Name: node.Name(), Type: typ, Nullable: true}, err
}

func typeOf(node parquet.Field) (arrow.DataType, error) {
	if !node.Leaf() {
		if node.Type().String() == "LIST" {
			return listOf(node)
		}
		var fields []arrow.Field
		for _, child := range node.Fields() {
			f, err := fieldOf(child)
			if err != nil {
				return nil, fmt.Errorf("%s.%w", node.Name(), err)
			}
			fields = append(fields, f)
		}
		return arrow.StructOf(fields...), nil
	}
	switch text := node.Type().String(); {
	case text == "STRING":
		return arrow.BinaryTypes.String, nil
	case text == "DOUBLE":
		return arrow.PrimitiveTypes.Float64, nil
	case text == "BOOLEAN":
		return arrow.FixedWidthTypes.Boolean, nil
	case text == "INT(32,true)":
		return arrow.PrimitiveTypes.Int32, nil
	case text == "INT(64,true)":
		return arrow.PrimitiveTypes.Int64, nil
	case strings.HasPrefix(text, "TIMESTAMP(isAdjustedToUTC=true,unit=MICROS"):
		return &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}, nil
	default:
		return nil, fmt.Errorf("%s has the type %s", node.Name(), text)
	}
}

func listOf(node parquet.Field) (arrow.DataType, error) {
	level := node.Fields()
	if len(level) != 1 || level[0].Name() != "list" || !level[0].Repeated() {
		return nil, fmt.Errorf("%s is not a 3-level list", node.Name())
	}
	level = level[0].Fields()
	if len(level) != 1 || level[0].Name() != "element" {
		return nil, fmt.Errorf("%s is not a 3-level list", node.Name())
	}
	if !level[0].Optional() && level[0].Leaf() { // numbers, of which a zero is none that is not there
		typ, err := typeOf(level[0])
		return arrow.ListOfField(arrow.Field{Name: "element", Type: typ}), err
	}
	element, err := fieldOf(level[0])
	if err != nil {
		return nil, fmt.Errorf("%s.%w", node.Name(), err)
	}
	return arrow.ListOfField(element), nil
}
