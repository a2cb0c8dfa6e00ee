package notify_test

import (
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/plimsoll-dev/plimsoll/sdk/notify"
)

func TestRedactor(t *testing.T) {
	for _, tt := range []struct {
		name, address, text string
		secrets             []string
	}{
		{
			"slack's webhook, rearranged", "slack://hook:T00AAAAAA-B00BBBBBB-abcdefghijklmnopqrstuvwx@webhook",
			`Post "https://hooks.slack.com/services/T00AAAAAA/B00BBBBBB/abcdefghijklmnopqrstuvwx": EOF`,
			[]string{"T00AAAAAA", "B00BBBBBB", "abcdefghijklmnopqrstuvwx"},
		},
		{
			"telegram", "telegram://110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw@telegram?chats=@channel-1",
			"bot 110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw is not known",
			[]string{"AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw", "110201543"},
		},
		{
			"a mail account", "smtp://robot:sw%2Fordfish@mail.example:587/?from=a@example.com&to=b@example.com",
			"mail.example: 535 robot sw/ordfish: bad login",
			[]string{"ordfish"},
		},
		{
			"a token in a parameter", "https://events.example/hook?token=0123456789abcdef", `Post "https://events.example/hook?token=0123456789abcdef": connection refused`,
			[]string{"0123456789abcdef"},
		},
		{"a password of an address that is none", "https://u:pass word!@host name/", `parse "https://u:pass word!@host name/": bad`, []string{"pass word!"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := notify.NewRedactor(tt.address)
			for _, got := range []string{r.Text(tt.text), r.Name(), r.Text(tt.address), r.Error(errors.New(tt.text)).Error()} {
				for _, secret := range tt.secrets {
					if strings.Contains(got, secret) {
						t.Errorf("%q shows %q", got, secret)
					}
				}
			}
		})
	}
	hidden := notify.NewRedactor("https://h.example/secret-path").Error(&url.Error{Op: "Post", URL: "https://h.example/secret-path", Err: io.EOF})
	if !errors.Is(hidden, io.EOF) {
		t.Error("the cause is lost")
	}
	if _, ok := errors.AsType[*url.Error](hidden); ok {
		t.Error("the error with the address can be had")
	}
	if got := hidden.Error(); got != `Post "https://h.example/REDACTED": EOF` {
		t.Error(got)
	}
}

func TestCheck(t *testing.T) {
	good := notify.Event{ID: "1", Kind: notify.BaseMoved, Title: "t"}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for want, spoil := range map[string]func(*notify.Event){
		"needs an ID": func(e *notify.Event) { e.ID = "" },
		"has no kind": func(e *notify.Event) { e.Kind = "" },
		"a title":     func(e *notify.Event) { e.Title = strings.Repeat("x", 2000) },
		"4194304":     func(e *notify.Event) { e.Patch = strings.Repeat("x", 5<<20) },
		"not JSON":    func(e *notify.Event) { e.Data = []byte("{") },
	} {
		e := good
		spoil(&e)
		if err := e.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestID(t *testing.T) {
	if notify.ID("k", "ab", "c") == notify.ID("k", "a", "bc") || notify.ID("k", "a") != "570893d27f405bcb31e387d40942e00e" {
		t.Error("an ID does not stand for its parts")
	}
}
