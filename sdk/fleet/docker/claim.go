package docker

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/moby/moby/client"

	"github.com/plimsoll-dev/plimsoll/sdk/fleet"
)

// The labels of a claim. It is an empty volume: the one thing of a daemon that has labels, costs nothing, and is seen by
// everybody who could run a remedy there.
const (
	labelRun    = "plimsoll.remedy.run"
	labelRemedy = "plimsoll.remedy"
	labelBy     = "plimsoll.remedy.by"
	labelUntil  = "plimsoll.remedy.until"
	labelIDs    = "plimsoll.remedy.instances"
)

// Claim implements [fleet.Claimer]. Whoever claims makes the own claim known first and then looks for others: of two at
// the same moment at least one sees the other and yields, and perhaps both.
func (p *Place) Claim(ctx context.Context, c fleet.Claim) (held map[string]string, release func(context.Context) error, err error) {
	var short []string
	for _, id := range c.IDs {
		short = append(short, id[:min(12, len(id))])
	}
	name := "plimsoll-remedy-" + c.Run + "-" + short[0]
	_, err = p.api.VolumeCreate(ctx, client.VolumeCreateOptions{Name: name, Labels: map[string]string{
		labelRun: c.Run, labelRemedy: c.Remedy, labelBy: c.By, labelUntil: c.Until.UTC().Format(time.RFC3339), labelIDs: strings.Join(short, " "),
	}})
	if err != nil {
		return nil, nil, fmt.Errorf("the claim for this run: %w", p.failed(err))
	}
	release = func(ctx context.Context) error {
		_, err := p.api.VolumeRemove(ctx, name, client.VolumeRemoveOptions{})
		return err
	}
	list, err := p.api.VolumeList(ctx, client.VolumeListOptions{Filters: make(client.Filters).Add("label", labelRun)})
	if err != nil {
		return nil, release, fmt.Errorf("others' claims: %w", p.failed(err))
	}
	held = map[string]string{}
	for _, v := range list.Items {
		if v.Labels[labelRun] == c.Run {
			continue
		}
		until, err := time.Parse(time.RFC3339, v.Labels[labelUntil])
		if err == nil && c.Now.After(until) {
			_, _ = p.api.VolumeRemove(ctx, v.Name, client.VolumeRemoveOptions{}) // of a run that was killed
			continue
		}
		theirs := strings.Fields(v.Labels[labelIDs])
		for n, id := range c.IDs {
			for _, t := range theirs {
				if t == short[n] {
					held[id] = fmt.Sprintf("remedy %s, ordered by %s, is at work on it: run again when it is done", v.Labels[labelRemedy], v.Labels[labelBy])
				}
			}
		}
	}
	return held, release, nil
}
