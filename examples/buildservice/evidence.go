package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/attest/artifact"
	"github.com/plimsoll-dev/plimsoll/sdk/audit"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// key reads the key that signs evidence and checkpoints; nil when there is none.
func (cfg *config) key() (*attest.Key, error) {
	if cfg.Evidence.Key == "" {
		if cfg.Audit.Checkpoints.Repository != "" {
			return nil, errors.New("audit.checkpoints needs evidence.key: a checkpoint that nobody signed proves nothing")
		}
		return nil, nil
	}
	src, err := os.ReadFile(cfg.Evidence.Key)
	if err != nil {
		return nil, err
	}
	var passphrase []byte
	if cfg.Evidence.PassphraseFile != "" {
		if passphrase, err = os.ReadFile(cfg.Evidence.PassphraseFile); err != nil {
			return nil, err
		}
		passphrase = bytes.TrimRight(passphrase, "\r\n")
	}
	key, err := attest.LoadKey(src, passphrase)
	if err != nil {
		return nil, fmt.Errorf("the key in %s: %w", cfg.Evidence.Key, err)
	}
	return key, nil
}

// checkpointType is the media type of a checkpoint: the JSON that "plimsoll audit verify --checkpoint" reads.
const checkpointType = "application/vnd.plimsoll.audit.checkpoint.v1+json"

// keepCheckpoints pushes a signed checkpoint of the audit log now and then, if it has grown: there who can write to this
// machine can't change it.
func keepCheckpoints(ctx context.Context, cfg *config, log *audit.Log, client *registry.Client, key *attest.Key, out *slog.Logger) {
	every := time.Duration(cfg.Audit.Checkpoints.Every)
	if every <= 0 {
		every = 10 * time.Minute
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for last := uint64(0); ; {
		if c := log.Checkpoint(); c.Seq > last {
			if err := keepCheckpoint(ctx, cfg, c, client, key); err != nil {
				out.WarnContext(ctx, "the audit log's checkpoint was not kept; it is tried again", "error", err)
			} else {
				last = c.Seq
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func keepCheckpoint(ctx context.Context, cfg *config, c audit.Checkpoint, client *registry.Client, key *attest.Key) error {
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	signed, err := artifact.Sign(ctx, key, artifact.Content{
		Kind: artifact.Kind{Name: c.Log, MediaType: checkpointType}, Version: c.Seq, Created: time.Now(), Data: data,
	})
	if err != nil {
		return err
	}
	_, err = artifact.Push(ctx, client, cfg.Audit.Checkpoints.Repository, signed, registry.PushOptions{Tags: []string{fmt.Sprintf("%s-%d", c.Log, c.Seq), c.Log}})
	return err
}
