package main

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/plimsoll-dev/plimsoll/modules/plimsoll/internal/dagger"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
)

// newDelivery packs what the SDK answered.
func newDelivery(done *pipeline.Delivered, layout string, refusal error) (*Delivery, error) {
	d := &Delivery{Reference: done.Reference}
	subject := ""
	if done.Source.Commit != "" {
		subject = done.Source.Repository + "@" + done.Source.Commit
	}
	var err error
	if d.Report, err = newReport(done.Findings, done.Definition.Files, subject, refusal); err != nil {
		return nil, err
	}
	record, err := json.MarshalIndent(done, "", "  ")
	if err != nil {
		return nil, err
	}
	d.Record = string(record)
	if done.Build == nil {
		return d, nil
	}
	d.Digest = done.Build.Digest.String()
	d.Files = dag.CurrentModule().Workdir("layout")
	d.Image, err = pack(layout, "image.tar")
	return d, err
}

// The image as an OCI layout in a tar file, all platforms in it
func (d *Delivery) Tarball() (*dagger.File, error) {
	if d.Image == nil {
		return nil, errors.New("there is no image: " + d.Report.Refusal)
	}
	return d.Image, nil
}

// The image as an OCI layout, all platforms in it
func (d *Delivery) Layout() (*dagger.Directory, error) {
	if d.Image == nil {
		return nil, errors.New("there is no image: " + d.Report.Refusal)
	}
	return d.Files, nil
}

// The image as a container, to go on with
func (d *Delivery) Container(
	// Platform of an image that has several
	// +optional
	platform dagger.Platform,
) (*dagger.Container, error) {
	if d.Image == nil {
		return nil, errors.New("there is no image: " + d.Report.Refusal)
	}
	return dag.Container(dagger.ContainerOpts{Platform: platform}).Import(d.Image), nil
}

// Fail when the definition was refused; answer with the image's digest
func (d *Delivery) Assert(ctx context.Context) (string, error) {
	return d.Digest, d.Report.Assert(ctx)
}
