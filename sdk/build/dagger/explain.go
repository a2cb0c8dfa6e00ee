package dagger

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/build"
	"github.com/plimsoll-dev/plimsoll/sdk/build/internal/mask"
	"github.com/plimsoll-dev/plimsoll/sdk/definition"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// ended is err, or why ctx ended.
func ended(ctx context.Context, err error) error {
	if stopped := ctx.Err(); stopped != nil {
		if cause := context.Cause(ctx); !errors.Is(cause, stopped) {
			return fmt.Errorf("%w: %w", stopped, cause)
		}
		return stopped
	}
	return err
}

// explain turns the engine's error into one that names the instruction and what went wrong.
func (r *request) explain(ctx context.Context, step string, err error) error {
	if stopped := ended(ctx, err); ctx.Err() != nil {
		return &build.Error{Place: finding.Place{File: r.Name}, Step: step, Err: stopped}
	}
	hide := mask.Secrets(r.Secrets)
	out := &build.Error{Step: step, Err: &engineError{text: hide.Replace(plain(err)), err: err}}
	if in := r.failed(err.Error()); in != nil {
		out.Place = r.place(in)
		out.Step += ": " + hide.Replace(strings.ToUpper(in.Name)+" "+words(in))
	}
	return out
}

// What an engine says of a command that failed and of a file that is not in the context.
var (
	exited = regexp.MustCompile(`(?s)process "(.*)" did not complete successfully: `)
	absent = regexp.MustCompile(`"(/[^"]*)": not found`)
)

// failed is the instruction that an error is about, the first of those that are alike, or nil.
func (r *request) failed(text string) *definition.Instruction {
	command, file := exited.FindStringSubmatch(text), absent.FindStringSubmatch(text)
	for _, in := range r.file.Instructions {
		switch in.Name {
		case "run":
			if command != nil && strings.HasSuffix(squeeze(command[1]), squeeze(words(in))) {
				return in
			}
		case "copy", "add":
			if file != nil && slices.ContainsFunc(in.Args, func(w definition.Word) bool { return path.Join("/", w.Text) == path.Clean(file[1]) }) {
				return in
			}
		}
	}
	return nil
}

// words are an instruction's arguments.
func words(in *definition.Instruction) string {
	all := make([]string, 0, len(in.Args))
	for _, a := range in.Args {
		all = append(all, a.Text)
	}
	return strings.Join(all, " ")
}

// squeeze makes one space of several, since the engine joins lines in its own way.
func squeeze(text string) string { return strings.Join(strings.Fields(text), " ") }

// engineError is an engine's error in plain words.
type engineError struct {
	text string
	err  error
}

func (e *engineError) Error() string { return e.text }
func (e *engineError) Unwrap() error { return e.err }

// noise is what the engine puts before its errors on their way.
var noise = regexp.MustCompile(strings.Join([]string{
	`^input: `,
	`^(\w+\.)+\w+ `,
	`process ".*" did not complete successfully: `,
	`failed to solve( with frontend \S+)?: `,
	`failed to (resolve source metadata|load cache key|compute cache key|calculate checksum of ref \S+|load LLB|create LLB definition)( for \S+)?: `,
	`rpc error: code = \w+ desc = `,
	`\s*\[traceparent:[0-9a-f-]+\]`,
}, "|"))

// plain leaves out the noise, and what is said twice in a row.
func plain(err error) string {
	parts := strings.Split(noise.ReplaceAllString(err.Error(), ""), ": ")
	return strings.Join(slices.Compact(parts), ": ")
}
