package model

import (
	"maps"
	"slices"

	"github.com/medgym-data/medgym-data/pipeline/strict"
)

// Price is what a model costs, in US dollars per million tokens.
type Price struct{ Input, Output, CachedInput float64 }

// Prices are by name of the model.
type Prices map[string]Price

var priceKeys = []string{"input", "output", "cached_input"}

// ReadPrices reads a table of prices, strictly:
//
//	models:
//	  name: {input: 2.5, output: 10, cached_input: 1.25}
//
// Input that a server had cached costs as other input where nothing else is said.
func ReadPrices(file string) (Prices, error) {
	d, root, err := strict.Read(file)
	if err != nil {
		return nil, err
	}
	top, err := d.Fields(root, "the file", "models")
	if err != nil {
		return nil, err
	}
	if top["models"] == nil {
		return nil, d.Fault(root, "add it", "there is no mapping models")
	}
	models, err := d.Named(top["models"], "models")
	if err != nil {
		return nil, err
	}
	out := Prices{}
	for _, name := range slices.Sorted(maps.Keys(models)) {
		n := models[name]
		fields, err := d.Fields(n, "a price", priceKeys...)
		if err != nil {
			return nil, err
		}
		var p Price
		for i, value := range []*float64{&p.Input, &p.Output, &p.CachedInput} {
			switch key := priceKeys[i]; {
			case fields[key] != nil:
				if *value, err = d.Number(fields[key], key); err != nil {
					return nil, err
				}
			case i == 2:
				p.CachedInput = p.Input
			default:
				return nil, d.Fault(n, "add it", "the price of %s has no %s", name, key)
			}
		}
		out[name] = p
	}
	return out, nil
}

// Of is the price of a model; nil: not known.
func (p Prices) Of(model string) *Price {
	price, ok := p[model]
	if !ok {
		return nil
	}
	return &price
}

// of is the cost of what was used.
func (p Price) of(u Usage) float64 {
	return (float64(u.Prompt-u.Cached)*p.Input + float64(u.Cached)*p.CachedInput + float64(u.Completion)*p.Output) / 1e6
}
