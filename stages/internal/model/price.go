package model

import (
	"errors"
)

// Price is what a model costs, in US dollars per million tokens.
type Price struct{ Input, Output, CachedInput float64 }

// Prices are by name of the model.
type Prices map[string]Price

// ReadPrices reads a table of prices.
func ReadPrices(file string) (Prices, error) { return nil, errors.New("not implemented") }

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
