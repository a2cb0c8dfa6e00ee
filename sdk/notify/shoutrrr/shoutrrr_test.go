package shoutrrr_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/notify"
	"github.com/plimsoll-dev/plimsoll/sdk/notify/shoutrrr"
)

// generic is shoutrrr's address for a web server of ours, with a secret in it.
func generic(url string) string {
	return strings.Replace(url, "http://", "generic://", 1) + "/sekret-token?disabletls=yes&template=json"
}

var message = notify.Message{Subject: "pay/api was moved", Text: "from 12.8 to 12.9"}

func TestSend(t *testing.T) {
	var got string
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = r.URL.Path + " " + string(body)
	}))
	defer srv.Close()
	c, err := shoutrrr.New(generic(srv.URL))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Send(t.Context(), message); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"/sekret-token", "pay/api was moved", "from 12.8 to 12.9"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %s", want, got)
		}
	}
}

// A mail arrives at a mail server, with the subject where mails have it.
func TestMail(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan string, 1)
	go func() { got <- receive(l) }()
	c, err := shoutrrr.New(fmt.Sprintf("smtp://%s/?from=plimsoll@example.com&to=pay@example.com&auth=None&encryption=None&usestarttls=No", l.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Send(t.Context(), message); err != nil {
		t.Fatal(err)
	}
	mail := <-got
	if !strings.Contains(mail, "Subject: pay/api was moved") || !strings.Contains(mail, "from 12.8 to 12.9") || !strings.Contains(mail, "RCPT TO:<pay@example.com>") {
		t.Error(mail)
	}
}

// receive is a mail server for one mail.
func receive(l net.Listener) string {
	conn, err := l.Accept()
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	fmt.Fprint(conn, "220 mail.example\r\n")
	var all strings.Builder
	data := false
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		line := lines.Text()
		all.WriteString(line + "\n")
		switch {
		case data && line == ".":
			data = false
			fmt.Fprint(conn, "250 OK\r\n")
		case data:
		case line == "DATA":
			data = true
			fmt.Fprint(conn, "354 go on\r\n")
		case line == "QUIT":
			fmt.Fprint(conn, "221 bye\r\n")
			return all.String()
		default:
			fmt.Fprint(conn, "250 OK\r\n")
		}
	}
	return all.String()
}

func TestAnswers(t *testing.T) {
	for status, permanent := range map[int]bool{401: true, 404: true, 500: false, 429: false} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
			defer srv.Close()
			c, err := shoutrrr.New(generic(srv.URL))
			if err != nil {
				t.Fatal(err)
			}
			err = c.Send(t.Context(), message)
			if err == nil || errors.Is(err, notify.ErrPermanent) != permanent || strings.Contains(err.Error(), "sekret") {
				t.Error(err)
			}
		})
	}
}

func TestNobodyAnswers(t *testing.T) {
	hang := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	defer srv.Close()
	defer close(hang)
	c, err := shoutrrr.New(generic(srv.URL))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := c.Send(ctx, message); !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "sekret") {
		t.Error(err)
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	if c, err = shoutrrr.New(generic(gone.URL)); err != nil {
		t.Fatal(err)
	}
	if err := c.Send(t.Context(), message); err == nil || errors.Is(err, notify.ErrPermanent) || strings.Contains(err.Error(), "sekret") {
		t.Error(err)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, tt := range []struct{ address, want string }{
		{"", "no scheme"},
		{"pigeon://sekret@loft", "shoutrrr has no service of this name; it has bark, discord"},
		{"slack://sekret-token", "is no address of this service"},
		{"telegram://sekret@telegram", "is no address of this service"},
		{"slack://sekret\n@", "can't be read"},
	} {
		if _, err := shoutrrr.New(tt.address); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "sekret") {
			t.Errorf("%q: %v, want %s", tt.address, err, tt.want)
		}
	}
}

func ExampleNew() {
	_, err := shoutrrr.New("discord://token-only")
	fmt.Println(err != nil)
	mail, err := shoutrrr.New("smtp://mail.example:587/?from=plimsoll@example.com&to=pay@example.com")
	fmt.Println(mail != nil, err)
	// Output:
	// true
	// true <nil>
}
