//go:build !linux

// Package namespaces takes strategy namespaces of a remedy, which only Linux has.
package namespaces

import (
	"context"
	"errors"

	"github.com/plimsoll-dev/plimsoll/sdk/fleet"
)

// Enterer enters containers.
type Enterer struct{}

// New returns an error: this machine has no containers of its own.
func New() (*Enterer, error) { return nil, errors.New("entering containers needs Linux") }

// Run does nothing.
func (*Enterer) Run(context.Context, string, int, fleet.Command) (fleet.Output, error) {
	return fleet.Output{}, fleet.ErrUnsupported
}
