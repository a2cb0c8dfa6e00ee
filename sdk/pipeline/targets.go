package pipeline

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/definition/source"
)

// Orders returns one order for each of the targets of a definition that describes several images; the order itself
// for one that describes one. Each has a directory of its own below Layout and, where Publish is set, a repository of its
// own below that.
func Orders(ctx context.Context, order Order) ([]Order, error) {
	all, err := source.LoadAll(ctx, order.Repository, order.Ref, order.Load)
	if err != nil || len(all) == 1 {
		return []Order{order}, err
	}
	var orders []Order
	for _, d := range all {
		one := order
		one.Load.Targets = []string{d.Build.Target}
		one.Layout = filepath.Join(order.Layout, d.Build.Target)
		if order.Publish != "" {
			one.Publish = order.Publish + "/" + d.Build.Target
		}
		if !d.Source.Dirty { // so that all are made from one commit, whatever moves meanwhile
			one.Ref = d.Source.Commit
		}
		orders = append(orders, one)
	}
	return orders, nil
}

// of completes an order by what a higher-level definition says.
func (o Order) of(d *definition.Definition) Order {
	if d.Build.Target == "" {
		return o
	}
	o.Target = d.Build.Stage
	if len(o.Platforms) == 0 {
		o.Platforms = d.Build.Platforms
	}
	args := maps.Clone(d.Build.Args)
	if args == nil {
		args = map[string]string{}
	}
	maps.Copy(args, o.Args)
	o.Args = args
	return o
}

// contexts are the named contexts to build with: directories, and images as the catalog decided.
func contexts(out *Delivered) (map[string]build.NamedContext, error) {
	named := map[string]build.NamedContext{}
	for name, dir := range out.Definition.Contexts {
		named[name] = build.NamedContext{Dir: dir}
	}
	for name := range out.Definition.Build.Contexts {
		if named[name].Dir != nil {
			continue
		}
		for _, d := range out.Plan.Decisions {
			if d.Input.Role == "context" && d.Input.Written == name && d.Digest != "" {
				ref, _, _ := strings.Cut(d.Effective, "@")
				named[name] = build.NamedContext{Image: ref + "@" + d.Digest}
			}
		}
		if named[name].Image == "" {
			return nil, fmt.Errorf("%s: the named context %s has no digest, so it can't be built with", out.Definition.Build.Place, name)
		}
	}
	return named, nil
}

// written places what is told about a compiled definition where people wrote it. It comes last: a plan's edits need the
// places in the compiled text.
func (out *Delivered) written() {
	if out.Plan == nil {
		return
	}
	for i := range out.Plan.Decisions {
		in := &out.Plan.Decisions[i].Input
		in.Place = out.Definition.Place(in.Place)
	}
}
