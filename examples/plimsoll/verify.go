package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/sdk/attest"
)

func newVerify(out *output) *cobra.Command {
	var reg registries
	var keys string
	var policy attest.Policy
	cmd := &cobra.Command{
		Use:   "verify IMAGE --keys KEYS --builder ID --source REPOSITORY",
		Short: "Check the evidence of an image: who built it, from what, and that it passed",
		Long: `Check that everything holds of an image: provenance by a builder and from a repository that count, and passing
verdicts of lint and tests, all signed by a trusted key, about the index and about each platform in it.

It exits with 1 when something does not hold, and says what. KEYS is a public key (a .pub file) or a list of keys with
their times in YAML.`,
		Example: `  plimsoll verify registry.example/team/app:1.2.3 --keys build-2027.pub \
      --builder https://build.example/plimsoll --source 'https://git.example/team/*'
  plimsoll verify registry.example/team/app@sha256:... --keys keys.yaml --builder https://build.example/plimsoll \
      --source https://git.example/team/app --max-age 720h --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			trusted, err := loadKeys(keys)
			if err != nil {
				return err
			}
			policy.Trust, policy.At = trusted, time.Now()
			client := reg.client()
			defer client.Close()
			got, err := attest.Verify(cmd.Context(), attest.NewStore(client, attest.StoreOptions{}), args[0], policy)
			if denied, ok := errors.AsType[*attest.DeniedError](err); ok {
				return &deniedError{denied}
			}
			if err != nil {
				return err
			}
			return out.answer(cmd, got, func(w io.Writer, style console.Style) error { return printEvidence(w, style, got) })
		},
	}
	reg.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&keys, "keys", "", "trusted keys: a public key in PEM, or a list in YAML")
	f.StringSliceVar(&policy.Builders, "builder", nil, "ids of the builders that count")
	f.StringSliceVar(&policy.Sources, "source", nil, "repositories that the image may be built from, https://git.example/team/app or .../team/*")
	f.DurationVar(&policy.MaxAge, "max-age", 0, "how old the verdicts of lint and tests may be (default: any age)")
	f.BoolVar(&policy.UnsafeAnyBuilder, "unsafe-any-builder", false, "accept provenance of any builder")
	f.BoolVar(&policy.UnsafeAnySource, "unsafe-any-source", false, "accept images from any repository")
	f.BoolVar(&policy.UnsafeUnlinted, "unsafe-unlinted", false, "do without a verdict of lint")
	f.BoolVar(&policy.UnsafeUntested, "unsafe-untested", false, "do without a verdict of tests")
	_ = cmd.MarkFlagRequired("keys")
	return cmd
}

// deniedError is an answer and not a failure: it exits with 1.
type deniedError struct{ *attest.DeniedError }

// Error has a line for each reason.
func (e *deniedError) Error() string {
	var text strings.Builder
	text.WriteString(e.Reference + ": denied")
	for _, reason := range e.Reasons {
		text.WriteString("\n  " + reason)
	}
	return text.String()
}

// Unwrap returns the SDK's error.
func (e *deniedError) Unwrap() error { return e.DeniedError }

func printEvidence(w io.Writer, style console.Style, v *attest.Verified) error {
	fmt.Fprintf(w, "%s %s\n", v.Reference, style.Good("verified"))
	if p := v.Provenance; p != nil {
		repository, commit := p.Source()
		fmt.Fprintf(w, "  built from %s at %s by %s\n", repository, commit, p.RunDetails.Builder.ID)
		for _, b := range p.Bases() {
			if b.Runtime {
				fmt.Fprintf(w, "  stands on %s (%s)\n", b.Effective.Ref, b.Platform)
			}
		}
	}
	for _, s := range v.Statements {
		if s.Digest == v.Digest {
			fmt.Fprintf(w, "  %s signed by %s\n", s.PredicateType, s.By)
		}
	}
	return nil
}
