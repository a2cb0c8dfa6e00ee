package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/api"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/client"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// service is which build service to speak to, and who does.
type service struct {
	address, token, audience string
}

func (s *service) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.address, "service", os.Getenv("PLIMSOLL_SERVICE"), "address of the build service (default: $PLIMSOLL_SERVICE)")
	cmd.Flags().StringVar(&s.token, "token-file", "", "file with the token (default: $PLIMSOLL_TOKEN, else GitHub Actions' own)")
	cmd.Flags().StringVar(&s.audience, "audience", "", "audience of GitHub Actions' token (default: the service's address)")
}

func (s *service) client() (*client.Client, error) {
	if s.address == "" {
		return nil, errors.New("which build service? Name it with --service or PLIMSOLL_SERVICE")
	}
	source := client.GitHubToken(os.Getenv, cmp.Or(s.audience, s.address))
	switch token := os.Getenv("PLIMSOLL_TOKEN"); {
	case s.token != "":
		source = func(context.Context) (string, error) {
			text, err := os.ReadFile(s.token) // anew each time: some CI systems renew it
			return strings.TrimSpace(string(text)), err
		}
	case token != "":
		source = client.StaticToken(token)
	case os.Getenv("ACTIONS_ID_TOKEN_REQUEST_URL") == "":
		return nil, errors.New("no token: set PLIMSOLL_TOKEN, or name a file with --token-file")
	}
	return client.New(s.address, client.Options{Token: source}), nil
}

func newRequestBuild(out *output) *cobra.Command {
	var to service
	var r api.Request
	var key, follow, reports string
	var detach bool
	cmd := &cobra.Command{
		Use:   "request-build --repo URL --commit ID",
		Short: "Have a build service build a commit, and follow the log",
		Long: `Have a build service build a commit, and follow the log until the build is over. The image by digest is the last line
of the standard output; the log goes to the error stream.

Exit codes: 0 it was published, 1 it was refused, 2 it failed, was cancelled or could not be asked for.`,
		Example: `  plimsoll request-build --service https://builds.example --repo https://git.example/team/pay.git --commit "$(git rev-parse HEAD)"
  plimsoll request-build --repo https://git.example/team/pay.git --commit "$COMMIT" --dir services/pay --tag 1.2.3 --reports out
  plimsoll request-build --follow 019c2a...`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := to.client()
			if err != nil {
				return err
			}
			id := follow
			if id == "" {
				if r.Repository == "" || r.Commit == "" {
					return errors.New("name a repository and a commit: --repo URL --commit ID")
				}
				b, err := c.Request(cmd.Context(), r, key)
				if err != nil {
					return err
				}
				id = b.ID
				if detach {
					return out.answer(cmd, b, func(w io.Writer, _ console.Style) error { _, err := fmt.Fprintln(w, b.ID); return err })
				}
			}
			return followBuild(cmd, out, c, id, reports)
		},
	}
	to.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&r.Repository, "repo", "", "URL of the git repository, as the service's configuration has it")
	f.StringVar(&r.Commit, "commit", "", "whole id of the commit")
	f.StringVar(&r.Directory, "dir", "", "directory of the definition in the repository")
	f.StringVarP(&r.Dockerfile, "file", "f", "", "the definition's file (default: Dockerfile)")
	f.StringVar(&r.Target, "target", "", "stage to build")
	f.StringSliceVar(&r.Platforms, "platform", nil, "platforms to build for")
	f.StringToStringVar(&r.Args, "build-arg", nil, "build arguments that the project allows")
	f.StringSliceVar(&r.Tags, "tag", nil, "tags that the project allows")
	f.IntVar(&r.Priority, "priority", 0, "from 1 (now) to 4 (when there is time)")
	f.StringVar(&key, "key", "", "Idempotency-Key: the same one for the same request gives the same build")
	f.StringVar(&follow, "follow", "", "follow this build instead of asking for one")
	f.StringVar(&reports, "reports", "", "directory for the reports")
	f.BoolVar(&detach, "detach", false, "print the build's id and don't wait")
	return cmd
}

// followBuild shows the log, then the findings and what became of the build.
func followBuild(cmd *cobra.Command, out *output, c *client.Client, id, reports string) error {
	ctx, log := cmd.Context(), cmd.ErrOrStderr()
	if !out.quiet {
		fmt.Fprintln(log, "build", id)
	}
	if _, err := c.Follow(ctx, id, 0, func(l api.Line) error {
		if out.quiet {
			return nil
		}
		_, err := fmt.Fprintf(log, "%-9s %s\n", l.Stage, console.Clean(l.Text))
		return err
	}); err != nil {
		return err
	}
	b, err := c.Get(ctx, id)
	if err != nil {
		return err
	}
	if reports != "" {
		if err := fetchReports(ctx, c, b, reports); err != nil {
			return err
		}
	}
	err = out.answer(cmd, b, func(w io.Writer, _ console.Style) error {
		for _, f := range b.Findings {
			if _, err := fmt.Fprintln(w, console.Clean(f.String())); err != nil {
				return err
			}
		}
		if b.Reference == "" {
			return nil
		}
		_, err := fmt.Fprintln(w, b.Reference)
		return err
	})
	switch {
	case err != nil:
		return err
	case b.State == api.Succeeded:
		return nil
	case b.State == api.Refused:
		return &finding.GateError{At: finding.Error, Findings: refusals(b)}
	}
	return fmt.Errorf("the build %s: %s", b.State, b.Reason)
}

// refusals are the findings that stopped a build, or its reason as one.
func refusals(b *api.Build) []finding.Finding {
	var all []finding.Finding
	for _, f := range b.Findings {
		if f.Severity == finding.Error && f.Suppressed == nil {
			all = append(all, f)
		}
	}
	if len(all) == 0 {
		all = append(all, finding.Finding{Severity: finding.Error, Place: finding.Place{File: b.Stage}, Message: b.Reason})
	}
	return all
}

func fetchReports(ctx context.Context, c *client.Client, b *api.Build, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, name := range b.Artifacts {
		content, err := c.Artifact(ctx, b.ID, name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
