// Package verifier is containerd's image verifier
// (https://github.com/containerd/containerd/blob/v2.4.2/docs/image-verification.md): a program that containerd runs for
// each image before it pulls it, with the image's name and digest, and that says yes or no by its exit code.
//
//	code := verifier.Run(ctx, gate, os.Args[1:], os.Stdout)
//
// It is an extra: it keeps denied images off a node. It does not hold the line, because containerd asks it about pulls and
// not about starts, not at all if its directory is empty or missing, and not when a registry's mirrors or credentials are
// set in a way that goes around it. Package nri holds the line.
//
// containerd tells the digest that the name resolved to, usually that of an index, so an index is denied when one of its
// platforms is.
package verifier

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/plimsoll-dev/plimsoll/sdk/admission"
)

// Run judges by the arguments that containerd gives (-name, -digest, -stdin-media-type), writes the reason and returns
// the exit code: 0 lets the image be pulled, 1 does not.
func Run(ctx context.Context, gate *admission.Gate, args []string, out io.Writer) int {
	image, err := parse(args)
	var d admission.Decision
	if err != nil {
		d = gate.Refuse(ctx, image.Ref, admission.RuleRequest, "", err)
	} else {
		d = gate.Decide(ctx, image)
	}
	if _, err := fmt.Fprintln(out, d); err != nil || d.Err() != nil {
		return 1
	}
	return 0
}

func parse(args []string) (admission.Image, error) {
	flags := flag.NewFlagSet("verifier", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	name := flags.String("name", "", "the image's name")
	digest := flags.String("digest", "", "the digest that it resolved to")
	flags.String("stdin-media-type", "", "what is on standard input: the image's descriptor, which is not needed")
	if err := flags.Parse(args); err != nil {
		return admission.Image{Ref: *name}, err
	}
	if *digest == "" || flags.NArg() > 0 {
		return admission.Image{Ref: *name}, errors.New("containerd gives -name, -digest and -stdin-media-type")
	}
	return admission.Image{Ref: *name, Digests: []string{*digest}}, nil
}
