package delivery_test

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/cucumber/godog"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
)

// deliverySteps are about what became of a delivery.
func (y *yard) deliverySteps(sc *godog.ScenarioContext) {
	sc.Then(`^the image is published$`, y.published)
	sc.Then(`^the image is built$`, func() error {
		if y.failed != nil {
			return y.failed
		}
		if y.delivered.Build == nil {
			return errors.New("there is no build")
		}
		return nil
	})
	sc.Then(`^nothing is built$`, func() error {
		if y.delivered.Build != nil {
			return fmt.Errorf("%s was built", y.delivered.Build.Digest)
		}
		return nil
	})
	sc.Then(`^nothing is published$`, y.unpublished)
	sc.Then(`^the delivery stops at "([^"]+)" because of "([^"]+)"$`, y.stopped)
	sc.Then(`^it is refused by the rule "([^"]+)" at "([^"]+)"$`, y.refused)
	sc.Then(`^the exception "([^"]+)" was used$`, y.excepted)
	sc.Then(`^the published image names the commit that it was made from$`, func(ctx context.Context) error {
		head, err := y.git("rev-parse", "HEAD")
		if err != nil {
			return err
		}
		return y.annotated(ctx, map[string]string{"org.opencontainers.image.revision": head})
	})
	sc.Then(`^the published image says that it asked for "([^"]+)" and stands on "([^"]+)"$`, func(ctx context.Context, asked, stands string) error {
		return y.annotated(ctx, map[string]string{
			pipeline.AnnotationRequestedName: y.server.Ref(asked), "org.opencontainers.image.base.name": y.server.Ref(stands),
		})
	})
	sc.Then(`^the published image has the file "([^"]+)" with "([^"]+)"$`, y.hasFile)
	sc.Then(`^the published image is the tested one, digest for digest$`, func() error {
		if tested := y.delivered.Verdict.Digest.String(); !strings.HasSuffix(y.delivered.Reference, "@"+tested) {
			return fmt.Errorf("tested %s, published %s", tested, y.delivered.Reference)
		}
		return nil
	})
}

func (y *yard) published(ctx context.Context) error {
	if y.failed != nil {
		return y.failed
	}
	_, err := y.client.Index(ctx, y.delivered.Reference)
	return err
}

func (y *yard) unpublished(ctx context.Context) error {
	if y.failed == nil {
		return errors.New("the delivery did not fail")
	}
	for _, r := range y.server.Requests() {
		if r.Method == "PUT" && strings.Contains(r.Path, "/team/app/") {
			return fmt.Errorf("the registry got %s", r)
		}
	}
	return ctx.Err()
}

func (y *yard) stopped(stage, because string) error {
	failed, ok := errors.AsType[*pipeline.Error](y.failed)
	if !ok || failed.Stage != stage || !strings.Contains(failed.Error(), because) {
		return fmt.Errorf("the delivery ended with: %v", y.failed) //nolint:errorlint // what came instead is shown
	}
	return nil
}

func (y *yard) refused(rule, place string) error {
	gate, ok := errors.AsType[*finding.GateError](y.failed)
	if !ok {
		return fmt.Errorf("the delivery ended with: %v", y.failed) //nolint:errorlint // what came instead is shown
	}
	for _, f := range gate.Findings {
		at := f.Place.String()
		if f.Rule == rule && (at == place || strings.HasPrefix(at, place+":")) {
			return nil
		}
	}
	return fmt.Errorf("the findings are %v", gate.Findings)
}

func (y *yard) excepted(id string) error {
	used := slices.ContainsFunc(y.delivered.Plan.Exceptions, func(e catalog.ExceptionUse) bool { return e.ID == id && e.Uses > 0 })
	if !used {
		return fmt.Errorf("the exceptions are %+v", y.delivered.Plan.Exceptions)
	}
	return nil
}

// image is the published image.
func (y *yard) image(ctx context.Context) (v1.Image, error) {
	index, err := y.client.Index(ctx, y.delivered.Reference)
	if err != nil {
		return nil, err
	}
	list, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	return index.Image(list.Manifests[0].Digest)
}

func (y *yard) annotated(ctx context.Context, want map[string]string) error {
	image, err := y.image(ctx)
	if err != nil {
		return err
	}
	manifest, err := image.Manifest()
	if err != nil {
		return err
	}
	for name, value := range want {
		if manifest.Annotations[name] != value {
			return fmt.Errorf("%s is %q, not %q", name, manifest.Annotations[name], value)
		}
	}
	return nil
}

func (y *yard) hasFile(ctx context.Context, name, text string) error {
	image, err := y.image(ctx)
	if err != nil {
		return err
	}
	files := mutate.Extract(image)
	defer files.Close()
	for r := tar.NewReader(files); ; {
		header, err := r.Next()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if strings.TrimPrefix(header.Name, "/") != name {
			continue
		}
		got, err := io.ReadAll(io.LimitReader(r, 1<<20))
		if err != nil {
			return err
		}
		if !strings.Contains(string(got), text) {
			return fmt.Errorf("%s has %q", name, got)
		}
		return nil
	}
}
