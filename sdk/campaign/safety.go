package campaign

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/plimsoll-dev/plimsoll/sdk/admission"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/sweep"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm"
)

// Safety is what was measured. All is safe when nothing is left in any of its lists.
type Safety struct {
	At time.Time `json:"at"`
	// Instances run from an image that the ban denies, with no remedy in force.
	Instances []string `json:"instances,omitempty"`
	// Remedied run from such an image with a remedy in force: they are safe until it ends.
	Remedied []string `json:"remedied,omitempty"`
	// Tags still point to an image that the ban denies.
	Tags []string `json:"tags,omitempty"`
	// Excepted are tags of projects with an exception: they may, until it ends.
	Excepted []string `json:"excepted,omitempty"`
	// Checks decide by an older bundle than the ban needs.
	Checks []string `json:"checks,omitempty"`
	// Unknown is what could not be measured, and so is not safe.
	Unknown []string `json:"unknown,omitempty"`
}

// Safe says whether all is.
func (s *Safety) Safe() bool {
	return len(s.Instances)+len(s.Tags)+len(s.Checks)+len(s.Unknown) == 0
}

// String is one line.
func (s *Safety) String() string {
	if s.Safe() {
		return fmt.Sprintf("all is safe; %d instances under a remedy", len(s.Remedied))
	}
	var parts []string
	for _, part := range []struct {
		what string
		list []string
	}{
		{"instances of banned images run without a remedy", s.Instances},
		{"tags point to banned images", s.Tags},
		{"start checks have an old bundle", s.Checks},
		{"things could not be measured", s.Unknown},
	} {
		if len(part.list) > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", len(part.list), part.what))
		}
	}
	return strings.Join(parts, "; ")
}

// measure asks everybody. What can't be asked is unknown.
func (e *Engine) measure(ctx context.Context, s *State) *Safety {
	safety := &Safety{At: e.parts.Now().UTC()}
	if begin := s.Preview.Ban.DenyFrom.Begin(); begin.After(safety.At) {
		safety.Unknown = append(safety.Unknown, fmt.Sprintf("the ban denies from %s on: before that nothing is proven", s.Preview.Ban.DenyFrom))
	}
	report, err := e.parts.Sweep(ctx)
	if err != nil {
		safety.Unknown = append(safety.Unknown, "what runs: "+err.Error())
	}
	if report != nil {
		safety.instances(report, s)
	}
	if e.parts.Checks != nil {
		checks, err := e.parts.Checks(ctx)
		if err != nil {
			safety.Unknown = append(safety.Unknown, "start checks: "+err.Error())
		}
		for _, c := range checks {
			if c.Version < s.Bundle {
				safety.Checks = append(safety.Checks, fmt.Sprintf("%s has bundle %d, not %d", c.Name, c.Version, s.Bundle))
			}
		}
	}
	// As long as something else is not safe, tags that the storm has moved are believed to be there still.
	believed := s.moved()
	if safety.Safe() {
		believed = nil
	}
	e.tags(ctx, s, believed, safety)
	return safety
}

func (s *Safety) instances(report *sweep.Report, state *State) {
	for _, j := range report.Instances {
		if !hit(j.Decision, state.Campaign) {
			continue
		}
		name := j.Instance.Place + " " + j.Instance.Name
		if remedy, ok := state.Remedied[j.Instance.Place+" "+j.Instance.ID]; ok {
			s.Remedied = append(s.Remedied, name+" ("+remedy+")")
		} else {
			s.Instances = append(s.Instances, name)
		}
	}
	// A sweep by an older bundle finds nothing of this ban, which proves nothing.
	if len(report.Instances) > 0 && report.Bundle.Version < state.Bundle {
		s.Unknown = append(s.Unknown, fmt.Sprintf("what runs was judged by bundle %d, not %d", report.Bundle.Version, state.Bundle))
	}
}

// hit says whether a decision is because of a ban and denies.
func hit(d admission.Decision, ban string) bool {
	return slices.ContainsFunc(d.Bans, func(h admission.Hit) bool { return h.Ban.ID == ban && h.Outcome == admission.Denied })
}

// tags looks at every tag that pointed to a banned image when the campaign began, but for those of images that are believed.
func (e *Engine) tags(ctx context.Context, s *State, believed map[string]bool, safety *Safety) {
	if s.Preview.Storm == nil {
		return
	}
	if e.parts.Resolve == nil {
		safety.Unknown = append(safety.Unknown, "tags: nobody can say where they point")
		return
	}
	banned := map[string]bool{}
	for _, item := range s.Preview.Storm.Items {
		banned[item.Digest] = true
	}
	var (
		mu    sync.Mutex
		group errgroup.Group
	)
	group.SetLimit(16)
	for _, item := range s.Preview.Storm.Items {
		if believed[item.ID] {
			continue
		}
		excepted := s.Preview.excepted(&item)
		for _, tag := range item.Tags {
			group.Go(func() error {
				ref := item.Repository + ":" + tag
				digest, err := e.parts.Resolve(ctx, ref)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err != nil:
					safety.Unknown = append(safety.Unknown, ref+": "+err.Error())
				case banned[digest] && excepted != "":
					safety.Excepted = append(safety.Excepted, ref+" ("+excepted+")")
				case banned[digest]:
					safety.Tags = append(safety.Tags, ref)
				}
				return nil
			})
		}
	}
	_ = group.Wait() // what can't be asked is in the lists
	for _, list := range [][]string{safety.Unknown, safety.Excepted, safety.Tags} {
		slices.Sort(list)
	}
}

// excepted names the exception that an image's project has, or is "".
func (p *Preview) excepted(item *storm.Item) string {
	project := projectOf(item.Definition)
	for _, e := range p.Excepted {
		if e.Project.Repository == project.Repository && e.Project.Directory == project.Directory {
			return fmt.Sprintf("exception %s until %s", e.Exception, e.Until)
		}
	}
	return ""
}

// moved are the images whose tags the storm has moved, all of them.
func (s *State) moved() map[string]bool {
	all := map[string]bool{}
	for _, o := range s.Outcomes {
		if o.State == "done" && o.Moved != nil && len(o.Moved.Kept) == 0 && len(o.Moved.Tags) == len(o.Tags) {
			all[o.ID] = true
		}
	}
	return all
}
