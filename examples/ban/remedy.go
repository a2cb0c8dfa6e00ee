package main

import (
	"context"
	"fmt"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/fleet"
	"github.com/plimsoll-dev/plimsoll/sdk/fleet/docker"
	"github.com/plimsoll-dev/plimsoll/sdk/fleet/where"
)

// remedy takes the shell with the hole out of everything that runs, until the containers are replaced. It needs no shell
// itself.
func (s *stage) remedy() fleet.Remedy {
	return fleet.Remedy{
		Name: "no-shell", Reason: "the shell has a hole", Campaign: ban,
		Where:   fmt.Sprintf(`labels[%q] == "1" && derivedFrom("%s/base/userland:12.8")`, label, s.registry.Host),
		Run:     []string{"rm", "/bin/sh"},
		User:    "0:0",
		Expires: time.Now().Add(time.Hour),
		Limits:  fleet.Limits{Parallel: 8, PerHost: 8},
	}
}

// remedied runs the remedy where it is missing, and says which containers it holds.
func (s *stage) remedied(ctx context.Context, _ string) (map[string]string, error) {
	instances, err := s.host.Instances(ctx)
	if err != nil {
		return nil, err
	}
	s.host.mu.Lock()
	held, missing := map[string]string{}, false
	for _, i := range instances {
		if name, ok := s.host.remedied[i.ID]; ok {
			held[i.Place+" "+i.ID] = name
		} else if !s.host.fresh[i.ID] {
			missing = true
		}
	}
	s.host.mu.Unlock()
	if !missing {
		return held, nil
	}
	transcript, err := s.treat(ctx)
	if err != nil {
		return nil, err
	}
	done := map[string]bool{}
	for _, r := range transcript.Results {
		if r.Outcome == fleet.Done || r.Outcome == fleet.Already {
			done[r.Instance.ID] = true
		}
	}
	s.host.mu.Lock()
	defer s.host.mu.Unlock()
	for _, i := range instances {
		if done[i.ID] {
			s.host.remedied[i.ID] = transcript.Remedy.Name
			held[i.Place+" "+i.ID] = transcript.Remedy.Name
		}
	}
	s.say("  remedy   %s", transcript.Summary())
	return held, nil
}

func (s *stage) treat(ctx context.Context) (*fleet.Transcript, error) {
	place, err := docker.Open(docker.Options{Host: s.host.engine.Host()})
	if err != nil {
		return nil, err
	}
	defer place.Close()
	inventory := fleet.NewInventory(place)
	if err := inventory.Refresh(ctx, 0); err != nil {
		return nil, err
	}
	remedy := s.remedy()
	condition, err := where.Compile(remedy.Where)
	if err != nil {
		return nil, err
	}
	selector, err := condition.Prepare(ctx, s.lineage, time.Now)
	if err != nil {
		return nil, err
	}
	r := fleet.Runner{Inventory: inventory, Log: s.log}
	return r.Run(ctx, fleet.Order{Remedy: remedy, Selector: selector, By: "ana@example.com"})
}
