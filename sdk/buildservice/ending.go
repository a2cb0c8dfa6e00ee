package buildservice

import (
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/api"
	"github.com/plimsoll-dev/plimsoll/sdk/buildservice/internal/store"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// ending says what became of a delivery, and whether it is worth another try. Cause is why its context ended, if it did.
func ending(d *pipeline.Delivered, err, cause error) (end store.Ending, again bool) {
	if err == nil {
		return store.Ending{State: api.Succeeded, Reference: d.Reference}, false
	}
	end = store.Ending{State: api.Failed, Reason: err.Error()}
	if stage, ok := errors.AsType[*pipeline.Error](err); ok {
		end.Stage = stage.Stage
	}
	cancelled, isCancelled := errors.AsType[*cancelledError](cause)
	timeout, isTimeout := errors.AsType[*timeoutError](cause)
	switch {
	case isCancelled:
		end.State, end.Reason = api.Cancelled, cancelled.by
	case isTimeout:
		end.Reason = timeout.Error()
	case isRefusal(err):
		end.State = api.Refused
	case isFault(err):
		return end, true
	}
	return end, false
}

// isRefusal says whether a delivery was stopped by an answer: findings, or tests.
func isRefusal(err error) bool {
	_, gate := errors.AsType[*finding.GateError](err)
	_, failed := errors.AsType[*blackbox.FailedError](err)
	_, untested := errors.AsType[*blackbox.UntestedError](err)
	return gate || failed || untested || errors.Is(err, pipeline.ErrNotTested)
}

// passing are errors of the machine and the network that may be gone in a while.
var passing = []error{
	registry.ErrUnavailable, errLease, io.ErrUnexpectedEOF,
	syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE, syscall.ENOSPC, syscall.EHOSTUNREACH, syscall.ENETUNREACH,
}

// isFault says whether an error is no answer and may pass.
func isFault(err error) bool {
	if slices.ContainsFunc(passing, func(p error) bool { return errors.Is(err, p) }) {
		return true
	}
	network, ok := errors.AsType[net.Error](err)
	return ok && network.Timeout()
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
