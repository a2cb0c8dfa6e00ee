package audit_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/plimsoll-dev/plimsoll/sdk/audit"
)

func Example() {
	dir, err := os.MkdirTemp("", "audit-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	log, err := audit.Open(dir, audit.Options{Name: "build-service"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, event := range []audit.Event{
		{Actor: "ana@example.com", Action: "build.request", Object: "build/42", Outcome: audit.Allowed},
		{Actor: "eve@example.com", Action: "build.cancel", Object: "build/42", Outcome: audit.Denied},
	} {
		if _, err := log.Append(event); err != nil {
			fmt.Println(err) // not written: don't do it
			return
		}
	}
	kept := log.Checkpoint() // keep it where who can write here can't
	if err := log.Close(); err != nil {
		fmt.Println(err)
		return
	}

	name := filepath.Join(dir, "audit-00000000000000000001.jsonl")
	text, _ := os.ReadFile(name)
	_ = os.WriteFile(name, bytes.Replace(text, []byte("eve"), []byte("bob"), 1), 0o600)

	verified, err := audit.Verify(os.DirFS(dir), audit.VerifyOptions{Checkpoints: []audit.Checkpoint{kept}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(verified.Findings[0])
	// Output:
	// audit-00000000000000000001.jsonl:2:1: error: line 2 of the log was changed: its bytes do not have the hash that it names (AU1001)
}
