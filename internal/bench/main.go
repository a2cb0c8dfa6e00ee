// Command bench compares Plimsoll with what a user would pick instead, on the same work, in one run.
//
//	go run ./internal/bench -quick           # every case, small
//	go run ./internal/bench lint rebase      # these cases, all sizes
//	go run ./internal/bench -write           # all, and write internal/bench/RESULTS.md with its plots
//
// Run it in the root of the repository. Peers are built from the modules that internal/bench/peers pins, or taken from
// the PATH (container-structure-test, goss, hadolint, dockle), where they count only if they are there: a peer that cannot
// be had is named with the reason and gets no figure. Plimsoll's time divided by the other's is the ratio: below 1
// Plimsoll is faster.
//
// A case is a file of its own here, case_NAME.go, and a line in cases.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/plimsoll-dev/plimsoll/internal/bench/compare"
)

// cases lists all cases, in the order of the table.
func cases() []compare.Case {
	return []compare.Case{
		lintCase(),
		coldBuildCase(),
		warmBuildCase(),
		imageTestCase(),
		imageFilesCase(),
		scenariosCase(),
		scanCase(),
		rescanCase(),
		rebaseCase("rebase", "move images from a base to its patch in Debian's registry, 4 at a time", 0, 1, 100, 1000),
		rebaseCase("rebase-20ms", "the same with 20 ms added to each request", 20*time.Millisecond, 20),
		stormPlanCase(),
		verifyCase(),
		remedyCase(),
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2) //nolint:gocritic // the deferred stop has nothing left to do
	}
}

func run(ctx context.Context) error {
	quick := flag.Bool("quick", false, "one small size of each case")
	asJSON := flag.Bool("json", false, "print JSON instead of a table")
	rounds := flag.Int("rounds", 5, "how often each side does the work")
	write := flag.Bool("write", false, "write "+resultsFile+" and its plots")
	quiet := flag.Bool("quiet", false, "print no progress")
	list := flag.Bool("list", false, "list the cases and stop")
	flag.Parse()
	selected, err := choose(cases(), flag.Args())
	if err != nil {
		return err
	}
	if *list {
		for _, c := range selected {
			fmt.Printf("%-14s %s\n", c.Name, c.Doc)
		}
		return nil
	}
	opts := compare.Options{Rounds: *rounds, Quick: *quick, Log: os.Stderr}
	if *quiet {
		opts.Log = io.Discard
	}
	all, failed := measure(ctx, selected, opts)
	if err := show(all, *asJSON); err != nil {
		return err
	}
	if len(failed) > 0 {
		return fmt.Errorf("could not be measured:\n%s", strings.Join(failed, "\n"))
	}
	if *write {
		return writeResults(all, compare.Machine(time.Now()))
	}
	return nil
}

// choose returns the named cases, all of them if none is named.
func choose(all []compare.Case, names []string) ([]compare.Case, error) {
	if len(names) == 0 {
		return all, nil
	}
	var chosen []compare.Case
	for _, name := range names {
		i := slices.IndexFunc(all, func(c compare.Case) bool { return c.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("no case is named %q; -list lists them", name)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// measure measures one case after the other. One that fails does not stop the others.
func measure(ctx context.Context, selected []compare.Case, opts compare.Options) (all []compare.Measured, failed []string) {
	for _, c := range selected {
		if ctx.Err() != nil {
			return all, append(failed, c.Name+": interrupted")
		}
		measured, err := compare.Measure(ctx, c, opts)
		all = append(all, measured...)
		if err != nil {
			failed = append(failed, err.Error())
		}
	}
	return all, failed
}

func show(all []compare.Measured, asJSON bool) error {
	machine := compare.Machine(time.Now())
	if !asJSON {
		fmt.Println(machine)
		fmt.Println()
		return compare.Table(os.Stdout, all)
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(struct {
		Machine string             `json:"machine"`
		Cases   []compare.Measured `json:"cases"`
	}{machine, all})
}
