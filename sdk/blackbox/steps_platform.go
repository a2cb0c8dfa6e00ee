package blackbox

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// historySteps are about how the image was put together.
func historySteps() []Step {
	const group = "Layers and history"
	history := func(s *Scenario) string {
		var b strings.Builder
		for _, h := range s.image.Config.History {
			fmt.Fprintln(&b, h.CreatedBy)
		}
		return b.String()
	}
	read := func(_ context.Context, s *Scenario, _ Args) (string, error) { return history(s), nil }
	steps := text{
		group: group, subject: "the history of the image", what: "the history of the image", kind: KindImage, read: read,
		example: "the history of the image", whole: "COPY service /app/service", part: "COPY", pattern: "^COPY", absent: "curl",
	}.steps()
	return append(steps,
		Step{
			Group: group, Kind: KindImage, Expression: "the history of the image has no secret",
			Doc:     "Passes when no instruction in the history has a build argument, variable or option that looks like a secret with a value, or a private key.",
			Example: "Then the history of the image has no secret",
			Func: func(_ context.Context, s *Scenario, _ Args) error {
				for line := range strings.Lines(history(s)) {
					if what := findSecret(line); what != "" {
						// The line itself would put the secret into the results.
						return &Mismatch{What: "the history of the image", Expected: "no secret", Found: what}
					}
				}
				return nil
			},
		},
		Step{
			Group: group, Kind: KindImage, Expression: "the image has at most {int} layers",
			Doc:     "Counts the layers.",
			Example: "Then the image has at most 10 layers",
			Func: func(_ context.Context, s *Scenario, a Args) error {
				n := len(s.image.Manifest.Layers)
				return expect(n <= a.Int(0), "the layers of the image", fmt.Sprintf("at most %d", a.Int(0)), fmt.Sprint(n))
			},
		},
		Step{
			Group: group, Kind: KindImage, Expression: "the image is smaller than {size}",
			Doc:     "Compares the sum of the compressed layers: what is pulled and stored.",
			Example: "Then the image is smaller than 200 MB",
			Func: func(_ context.Context, s *Scenario, a Args) error {
				var sum int64
				for _, l := range s.image.Manifest.Layers {
					sum += l.Size
				}
				return smaller("the size of the image", a.Size(0), sum)
			},
		},
		Step{
			Group: group, Kind: KindImage, Expression: "no layer of the image is bigger than {size}",
			Doc:     "Compares the size of each compressed layer.",
			Example: "Then no layer of the image is bigger than 100 MB",
			Func: func(_ context.Context, s *Scenario, a Args) error {
				for i, l := range s.image.Manifest.Layers {
					if l.Size > a.Size(0) {
						return smaller(fmt.Sprintf("the size of layer %d", i+1), a.Size(0), l.Size)
					}
				}
				return nil
			},
		},
		Step{
			Group: group, Kind: KindFile, Expression: "the files of the image are smaller than {size}",
			Doc:     "Compares the sum of all files that an instance sees.",
			Example: "Then the files of the image are smaller than 500 MB",
			Func: func(ctx context.Context, s *Scenario, a Args) error {
				files, err := s.image.Files(ctx)
				if err != nil {
					return err
				}
				var sum int64
				for e := range files.All() {
					sum += e.Size
				}
				return smaller("the size of all files", a.Size(0), sum)
			},
		})
}

func smaller(what string, limit, found int64) error {
	return expect(found <= limit, what, fmt.Sprintf("at most %d bytes", limit), fmt.Sprintf("%d bytes", found))
}

// platformSteps are about what the image runs on.
func platformSteps() []Step {
	const group = "Platforms"
	return []Step{
		{
			Group: group, Kind: KindImage, Expression: "the platform of the image is {string}",
			Doc:     "Compares operating system, architecture and variant, as in \"linux/arm64\".",
			Example: `Then the platform of the image is "linux/amd64"`,
			Func: func(_ context.Context, s *Scenario, a Args) error {
				return equal("the platform of the image", a.String(0), s.image.Platform)
			},
		},
		{
			Group: group, Kind: KindImage, Expression: "the image is there for the platform {string}",
			Doc:     "Passes when the index that the image is of has the platform, or the image alone is for it.",
			Example: `Then the image is there for the platform "linux/amd64"`,
			Func: func(_ context.Context, s *Scenario, a Args) error {
				have, err := s.image.platforms()
				if err != nil {
					return err
				}
				return expect(slices.Contains(have, a.String(0)), "the platforms of the image", a.String(0), list(have))
			},
		},
		{
			Group: group, Kind: KindImage, Expression: "the image is of the OCI format",
			Doc:     "Passes when the media type of the manifest is that of the OCI image specification.",
			Example: "Then the image is of the OCI format",
			Func: func(_ context.Context, s *Scenario, _ Args) error {
				const oci = "application/vnd.oci.image.manifest.v1+json"
				return equal("the media type of the image", oci, string(s.image.Manifest.MediaType))
			},
		},
	}
}

// platforms returns the platforms of the index that the image is of.
func (i *Image) platforms() ([]string, error) {
	if i.Index == nil {
		return []string{i.Platform}, nil
	}
	manifest, err := i.Index.IndexManifest()
	if err != nil {
		return nil, err
	}
	var all []string
	for _, d := range manifest.Manifests {
		if isPlatformImage(d) && d.Platform != nil {
			all = append(all, d.Platform.String())
		}
	}
	return all, nil
}
