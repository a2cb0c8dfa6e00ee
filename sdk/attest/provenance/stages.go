package provenance

import (
	"encoding/json"
	"fmt"
	"time"
)

// Stage is the record of one stage of a delivery.
type Stage struct {
	Stage    string        `json:"stage"`
	Started  time.Time     `json:"started"`
	Duration time.Duration `json:"duration"` // nanoseconds
}

// stagesType is the media type of the byproduct that has the stages.
const stagesType = "application/vnd.plimsoll.stages.v1+json"

// SetStages puts the records of the stages among the byproducts.
func (p *Provenance) SetStages(stages []Stage) error {
	raw, err := json.Marshal(stages)
	if err != nil {
		return err
	}
	p.RunDetails.Byproducts = append(p.RunDetails.Byproducts, Resource{Name: "stages", MediaType: stagesType, Content: raw})
	return nil
}

// Stages returns the records of the stages; nil when there are none.
func (p *Provenance) Stages() ([]Stage, error) {
	for _, b := range p.RunDetails.Byproducts {
		if b.MediaType != stagesType {
			continue
		}
		var stages []Stage
		if err := json.Unmarshal(b.Content, &stages); err != nil {
			return nil, fmt.Errorf("%w: stages: %w", ErrMalformed, err)
		}
		return stages, nil
	}
	return nil, nil
}
