package homes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/plimsoll-dev/plimsoll/sdk/notify"
	"github.com/plimsoll-dev/plimsoll/sdk/notify/cloudevents"
	"github.com/plimsoll-dev/plimsoll/sdk/notify/outbox"
	"github.com/plimsoll-dev/plimsoll/sdk/notify/shoutrrr"
)

// OpenOutbox opens the outbox in a directory for state, with the channels of a configuration file. Secrets are files of
// their names in a directory, as Kubernetes and Docker mount them.
func OpenOutbox(ctx context.Context, config, secrets, state string, log *slog.Logger) (*outbox.Outbox, error) {
	src, err := os.ReadFile(config)
	if err != nil {
		return nil, fmt.Errorf("the configuration of notifications: %w", err)
	}
	cfg, err := notify.LoadConfig(config, src)
	if err != nil {
		return nil, err
	}
	channels, err := openChannels(cfg, secrets)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", config, err)
	}
	return outbox.Open(ctx, filepath.Join(state, "outbox.db"), outbox.Options{Config: cfg, Channels: channels, Log: log})
}

func openChannels(cfg *notify.Config, secrets string) (map[string]notify.Channel, error) {
	channels := map[string]notify.Channel{}
	var errs []error
	for name, c := range cfg.Channels {
		channel, err := openChannel(c, secrets)
		if err != nil {
			errs = append(errs, fmt.Errorf("channel %s: %w", name, err))
			continue
		}
		channels[name] = channel
	}
	return channels, errors.Join(errs...)
}

func openChannel(c notify.ChannelConfig, secrets string) (notify.Channel, error) {
	address := c.URL
	var err error
	if c.Secret != "" {
		if address, err = readSecret(secrets, c.Secret); err != nil {
			return nil, err
		}
	}
	scheme, _, _ := strings.Cut(address, "://")
	if scheme != "http" && scheme != "https" {
		return shoutrrr.New(address)
	}
	headers := map[string]string{}
	maps.Copy(headers, c.Headers)
	for name, secret := range c.HeaderSecrets {
		if headers[name], err = readSecret(secrets, secret); err != nil {
			return nil, err
		}
	}
	return cloudevents.New(address, cloudevents.Options{Headers: headers})
}

// readSecret reads a file of a directory, and nothing outside of it.
func readSecret(dir, name string) (string, error) {
	if dir == "" {
		return "", fmt.Errorf("the secret %q: name the directory with the secrets (--secrets)", name)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", fmt.Errorf("the directory with the secrets: %w", err)
	}
	defer root.Close()
	text, err := root.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("the secret %q: %w", name, err)
	}
	return strings.TrimSpace(string(text)), nil
}
