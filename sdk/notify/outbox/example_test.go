package outbox_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/plimsoll-dev/plimsoll/sdk/notify"
	"github.com/plimsoll-dev/plimsoll/sdk/notify/outbox"
)

func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "outbox-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	cfg, err := notify.LoadConfig("notify.yaml", []byte(`version: 1
ops: [screen]
channels: {screen: {secret: screen}}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	screen := notify.ChannelFunc(func(_ context.Context, m notify.Message) error {
		fmt.Println(m.Subject)
		return nil
	})
	box, err := outbox.Open(ctx, filepath.Join(dir, "outbox.db"), outbox.Options{
		Config: cfg, Channels: map[string]notify.Channel{"screen": screen},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer box.Close()
	news := notify.Event{ID: notify.ID(notify.BaseMoved, "pay/api", "debian:12.9"), Kind: notify.BaseMoved, Title: "pay/api is built on debian:12.9"}
	for range 3 { // of three builds with the same news
		if err := box.Notify(ctx, news); err != nil {
			fmt.Println(err)
		}
	}
	if err := box.Drain(ctx); err != nil { // a service has [Outbox.Run] in the background instead
		fmt.Println(err)
	}
	// Output: pay/api is built on debian:12.9
}
