package notify_test

import (
	"fmt"

	"github.com/plimsoll-dev/plimsoll/sdk/notify"
)

func ExampleConfig_Route() {
	cfg, err := notify.LoadConfig("notify.yaml", []byte(`version: 1
ops: [ops-chat]
channels:
  ops-chat: {secret: ops-chat-url}
  pay-mail: {url: "smtp://mail.example/?from=plimsoll@example.com&to=pay@example.com"}
teams:
  pay:
    channels: [pay-mail]
    projects: [{repository: "https://git.example/pay/*"}]
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, repository := range []string{"https://git.example/pay/api", "https://git.example/unknown"} {
		for _, to := range cfg.Route(notify.Event{Project: notify.Project{Repository: repository}}) {
			fmt.Printf("%s: team %q in %s\n", repository, to.Team, to.Channel)
		}
	}
	// Output:
	// https://git.example/pay/api: team "pay" in pay-mail
	// https://git.example/unknown: team "" in ops-chat
}

func ExampleRenderer() {
	r, err := notify.NewRenderer(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	m := r.Message("", "pay", []notify.Event{{
		Kind: notify.BaseMoved, Title: "pay/api is built on debian:12.9 instead of debian:12.8",
		Text: "CVE-2026-1234 in libssl", Facts: []notify.Fact{{Name: "commit", Value: "4f2a91c"}}, Ask: "base-images@example.com",
	}})
	fmt.Println(m.Subject)
	fmt.Println(m.Text)
	// Output:
	// pay/api is built on debian:12.9 instead of debian:12.8
	// CVE-2026-1234 in libssl
	//
	// commit: 4f2a91c
	//
	// Questions: base-images@example.com
}
