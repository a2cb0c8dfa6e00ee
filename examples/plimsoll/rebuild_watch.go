package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm/runner"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm/trigger"
)

func (r *rebuilding) watching() *cobra.Command {
	var every time.Duration
	var listen, tokenFile string
	var hosts map[string]string
	var once bool
	cmd := &cobra.Command{
		Use:   "watch REFERENCE...",
		Short: "Start a storm whenever a base's tag means a new image, and work on it, until stopped",
		Long: `Start a storm whenever a base's tag means a new image: all that stands on what it meant before is brought onto that. The
registry is asked at intervals, and whenever a webhook says so (Docker Registry, Harbor, or {"image": REFERENCE}). What the tag
meant before is known from the lineage index.`,
		Example: `  plimsoll rebuild watch registry.example/base/debian:12 --every 10m --builder embedded --catalog catalog.yaml
  plimsoll rebuild watch registry.example/base/debian:12 --listen :8080 --hook-token-file token --debounce 10m`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return r.with(cmd, func(ctx context.Context, storms *runner.Runner) error {
				store, ok := r.opts.Lineage.(lineage.Store)
				if !ok {
					return errors.New("watching needs the lineage index: name it with --lineage")
				}
				p := &trigger.Poller{
					Registry: r.client, Names: args, Marks: store, Interval: every,
					Moved: func(ctx context.Context, m trigger.Moved) error { return r.moved(ctx, cmd, storms, store, m) },
					Failed: func(name string, err error) {
						fmt.Fprintln(cmd.ErrOrStderr(), console.Clean(name+": "+err.Error()+"; it is tried again"))
					},
				}
				if once {
					var errs []error
					for _, name := range args {
						errs = append(errs, p.Look(ctx, name))
					}
					return errors.Join(errs...)
				}
				group, ctx := errgroup.WithContext(ctx)
				group.Go(func() error { return storms.Run(ctx) })
				group.Go(func() error { return p.Run(ctx) })
				if listen != "" {
					token, err := os.ReadFile(tokenFile)
					if err != nil {
						return err
					}
					handler, err := trigger.Handler(p, strings.TrimSpace(string(token)), hosts)
					if err != nil {
						return err
					}
					server := &http.Server{Addr: listen, Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute}
					group.Go(func() error {
						if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
							return err
						}
						return nil
					})
					group.Go(func() error { <-ctx.Done(); return server.Close() })
				}
				return group.Wait()
			})
		},
	}
	r.doing(cmd)
	r.asking(cmd)
	f := cmd.Flags()
	f.DurationVar(&every, "every", 10*time.Minute, "how often the registry is asked")
	f.BoolVar(&once, "once", false, "ask once, write down what is to be done, and stop")
	f.StringVar(&listen, "listen", "", "address to take webhooks at")
	f.StringVar(&tokenFile, "hook-token-file", "", "file with the token that webhooks show in the header Authorization")
	f.StringToStringVar(&hosts, "hook-host", nil, "what the registry calls itself in webhooks, to what images are called by: HOST=HOST")
	cmd.MarkFlagsRequiredTogether("listen", "hook-token-file")
	return r.common(cmd)
}

// moved starts the storm that a tag asks for.
func (r *rebuilding) moved(ctx context.Context, cmd *cobra.Command, storms *runner.Runner, store lineage.Store, m trigger.Moved) error {
	repository, tag := lineage.SplitName(m.Name)
	// The index may not have seen the tag since: what it meant before is remembered by the poll.
	if err := store.Put(ctx, lineage.Batch{Tags: []lineage.Tag{{Repository: repository, Name: tag, Digest: m.Now, Since: time.Now()}}}); err != nil {
		return err
	}
	q, err := storm.FromTag(ctx, store, catalog.FullReference(m.Name), m.Now)
	if err != nil {
		return err
	}
	q.Campaign, q.Severity = cmp.Or(r.campaign, q.Campaign), cmp.Or(r.severity, q.Severity)
	p, err := r.plan(ctx, storms, store, q)
	if err != nil {
		return err
	}
	s, err := storms.Start(ctx, p)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", statusLine(s))
	return err
}
