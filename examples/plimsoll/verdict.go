package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/plimsoll-dev/plimsoll/internal/console"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/results"
)

// verdictReports are the forms in which a verdict is written.
type verdictReports struct {
	format string            // to standard output
	files  map[string]string // by format
}

func formats() []string { return slices.Sorted(maps.Keys(results.Formats())) }

func (r *verdictReports) flags(cmd *cobra.Command) {
	all := strings.Join(formats(), ", ")
	cmd.Flags().StringVar(&r.format, "format", "pretty", "format of the results on standard output: "+all)
	cmd.Flags().StringToStringVar(&r.files, "report", nil, "results to write to a file as well, FORMAT=FILE; may be given more than once")
}

// check finds wrong names before the work is done.
func (r *verdictReports) check() error {
	for _, format := range append(slices.Sorted(maps.Keys(r.files)), r.format) {
		if results.Formats()[format] == nil {
			return fmt.Errorf("result format %q is not one of %s", format, strings.Join(formats(), ", "))
		}
	}
	return nil
}

func (r *verdictReports) write(cmd *cobra.Command, out *output, verdict *blackbox.Verdict) error {
	for format, file := range r.files {
		if err := writeReport(file, results.Formats()[format], verdict); err != nil {
			return err
		}
	}
	w := cmd.OutOrStdout()
	switch {
	case out.json:
		return console.JSON(w, verdict)
	case r.format == "pretty":
		return results.Pretty(w, verdict, results.Options{Color: bool(console.StyleFor(w))})
	default:
		return results.Formats()[r.format](w, verdict)
	}
}

// writeReport writes a file. One that could not be written whole is removed.
func writeReport(file string, write results.Write, verdict *blackbox.Verdict) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := errors.Join(write(f, verdict), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("report %s: %w", file, err), os.Remove(file))
	}
	return nil
}
