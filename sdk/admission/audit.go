package admission

import (
	"context"
	"strconv"

	"github.com/plimsoll-dev/plimsoll/sdk/audit"
)

// AuditLog keeps decisions in an audit log, one line each, on disk before the answer is given.
func AuditLog(log *audit.Log) Recorder { return auditLog{log} }

type auditLog struct{ log *audit.Log }

func (a auditLog) Record(_ context.Context, gate string, d Decision) error {
	e := audit.Event{
		Actor: gate, Action: "instance.start", Object: d.Image.Name(), Outcome: audit.Allowed,
		Detail: map[string]string{"decision": clip(d.String()), "bundle": strconv.FormatUint(d.Bundle.Version, 10)},
	}
	if e.Actor == "" {
		e.Actor = "gate"
	}
	if d.Err() != nil {
		e.Outcome = audit.Denied
	}
	if d.Permit != "" {
		e.Detail["permit"] = d.Permit
	}
	_, err := a.log.Append(e)
	return err
}

// clip keeps what others wrote from filling the log.
func clip(s string) string {
	const most = 8 << 10
	return s[:min(len(s), most)]
}
