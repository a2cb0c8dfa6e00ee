package outbox_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/plimsoll-dev/plimsoll/sdk/notify"
	"github.com/plimsoll-dev/plimsoll/sdk/notify/outbox"
)

// What a build pays for telling, with a channel that works and with one that hangs.
func BenchmarkNotify(b *testing.B) {
	cfg, err := notify.LoadConfig("notify.yaml", []byte(config))
	if err != nil {
		b.Fatal(err)
	}
	for name, channel := range map[string]notify.ChannelFunc{
		"works": func(context.Context, notify.Message) error { return nil },
		"hangs": func(ctx context.Context, _ notify.Message) error { <-ctx.Done(); return ctx.Err() },
	} {
		b.Run(name, func(b *testing.B) {
			o, err := outbox.Open(b.Context(), b.TempDir()+"/outbox.db", outbox.Options{
				Config: cfg, Channels: map[string]notify.Channel{"pay": channel},
			})
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(b.Context())
			done := make(chan struct{})
			go func() { _ = o.Run(ctx); close(done) }()
			i := 0
			for b.Loop() {
				i++
				if err := o.Notify(b.Context(), moved(fmt.Sprint(i), "pay")); err != nil {
					b.Fatal(err)
				}
			}
			cancel()
			<-done
			if err := o.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
