package pipeline

import (
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/attest/provenance"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
)

// resources are everything that a build read, each once: its source first.
func resources(out *Delivered) []provenance.Resource {
	all := []provenance.Resource{{
		URI:    provenance.GitURI(out.Source.Repository, out.Source.Ref),
		Digest: map[string]string{"gitCommit": out.Source.Commit},
	}}
	seen := map[string]bool{}
	for _, decision := range out.Plan.Decisions {
		if !decision.Input.Reachable {
			continue
		}
		r := resource(decision)
		key := r.URI + " " + decision.Digest + " " + string(decision.Input.Role)
		if !seen[key] {
			seen[key] = true
			all = append(all, r)
		}
	}
	return all
}

func resource(decision catalog.Decision) provenance.Resource {
	in := decision.Input
	r := provenance.Resource{URI: decision.Effective, Annotations: map[string]any{"role": string(in.Role), "stage": in.Stage}}
	algorithm, value, ok := strings.Cut(decision.Digest, ":")
	switch in.Kind {
	case catalog.KindImage:
		r.URI = provenance.ImageURI(decision.Effective, in.Platform)
	case catalog.KindGit:
		r.URI = provenance.GitURI(decision.Effective, "")
		if !ok {
			algorithm, value, ok = "gitCommit", decision.Digest, decision.Digest != ""
		}
	}
	if ok {
		r.Digest = map[string]string{algorithm: value}
	}
	if decision.Moved {
		r.Annotations["requested"] = in.Ref
	}
	return r
}
