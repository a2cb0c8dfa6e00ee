package buildservice_test

import (
	"context"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/plimsoll-dev/plimsoll/internal/testenv"
	"github.com/plimsoll-dev/plimsoll/sdk/build"
)

// browse logs in with somebody's token and returns a client with the session.
func (s *site) browse(who string) *http.Client {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	c := &http.Client{Jar: jar}
	form := url.Values{"token": {s.tokens[who]}}.Encode()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.server.URL+"/login", strings.NewReader(form))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := c.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = answer.Body.Close()
	return c
}

func TestPagesAreForThoseWhoLoggedIn(t *testing.T) {
	s := newSite(t, nil).start()
	b := s.wait(s.ask(s.request("a")).ID)
	for _, test := range []struct {
		who, path string
		status    int
	}{
		{"nobody", "/", 200}, // the page to log in
		{"ana", "/", 200},
		{"ana", "/builds/" + b.ID, 200},
		{"ana", "/builds/" + b.ID + "/artifacts/verdict.html", 200},
		{"ana", "/builds/" + b.ID + "/artifacts/nothing", 404},
		{"ana", "/catalog", 200},
		{"ana", "/audit", 403},
		{"eve", "/builds/" + b.ID, 404},
		{"eve", "/builds/" + b.ID + "/events", 404},
		{"ops", "/audit", 200},
		{"ops", "/nothing", 404},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.server.URL+test.path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := s.browse(test.who).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		policy := answer.Header.Get("Content-Security-Policy")
		if answer.StatusCode != test.status || test.path != "/nothing" && !strings.Contains(test.path, "events") && !strings.HasPrefix(policy, "default-src 'none'") {
			t.Errorf("%s %s: %s, %q", test.who, test.path, answer.Status, policy)
		}
		if login := answer.Request.URL.Path == "/login"; login != (test.who == "nobody") {
			t.Errorf("%s %s came to %s", test.who, test.path, answer.Request.URL.Path)
		}
	}
	evil, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.server.URL+"/builds/"+b.ID+"/cancel", nil)
	if err != nil {
		t.Fatal(err)
	}
	evil.Header.Set("Origin", "https://evil.example")
	answer, err := s.browse("ana").Do(evil)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusForbidden {
		t.Errorf("another site made ana's browser cancel: %s", answer.Status)
	}
}

// chromium starts the browser; what it complains about (scripts, the content security policy) fails the test.
func chromium(t *testing.T) context.Context {
	t.Helper()
	testenv.NeedsProgram(t, "chromium")
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("chromium"), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.WSURLReadTimeout(time.Minute))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(cancel)
	var mu sync.Mutex
	var complaints []string
	chromedp.ListenTarget(ctx, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *cdplog.EventEntryAdded:
			complaints = append(complaints, e.Entry.Text)
		case *runtime.EventExceptionThrown:
			complaints = append(complaints, e.ExceptionDetails.Error())
		}
	})
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		if len(complaints) > 0 {
			t.Errorf("the browser complains:\n%s", strings.Join(complaints, "\n"))
		}
	})
	return ctx
}

// look takes a picture of the page as it is, in light and dark, into the directory of PLIMSOLL_SCREENSHOTS if there is one.
func look(ctx context.Context, t *testing.T, name string, width, height int64) {
	t.Helper()
	dir := os.Getenv("PLIMSOLL_SCREENSHOTS")
	for _, scheme := range []string{"light", "dark"} {
		var picture []byte
		if err := chromedp.Run(ctx, chromedp.EmulateViewport(width, height),
			emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
			chromedp.CaptureScreenshot(&picture)); err != nil {
			t.Fatal(err)
		}
		if dir != "" {
			if err := os.WriteFile(filepath.Join(dir, name+"-"+scheme+".png"), picture, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestPagesInARealBrowser(t *testing.T) {
	s := newSite(t, nil)
	begun, goOn := make(chan struct{}, 9), make(chan struct{})
	wait := buildUntil(begun, goOn)
	s.Hook = func(ctx context.Context, req build.Request) error {
		req.Progress(build.Event{Step: "x", State: "log", Log: []byte("<script>document.title='owned'</script>\n")})
		return wait(ctx, req)
	}
	var err error
	if s.commit, err = s.Commit(map[string]string{
		"evil/Dockerfile": "# a service\nFROM HOST/base/demo:1.4.9 AS base\n\nFROM HOST/contrib/toolbox:7\nCOPY --from=base /version /v\n",
	}); err != nil {
		t.Fatal(err)
	}
	image, err := s.Server.Push(t.Context(), "contrib/toolbox:7", mustImage(t))
	if err != nil {
		t.Fatal(err, image)
	}
	s.start()
	refused := s.wait(s.ask(s.request("evil")).ID)
	running := s.ask(s.request("a"))
	<-begun

	ctx := chromium(t)
	var title, log, focused string
	var overflow bool
	if err := chromedp.Run(ctx,
		chromedp.Navigate(s.server.URL+"/"),
		chromedp.WaitVisible(`input[name=token]`),
		chromedp.SendKeys(`input[name=token]`, s.tokens["ops"]+"\r"), // the keyboard is enough
		chromedp.WaitVisible(`table`),
		chromedp.KeyEvent("\t"),
		chromedp.Evaluate(`document.activeElement.className`, &focused),
		chromedp.Title(&title),
	); err != nil {
		t.Fatal(err)
	}
	if title != "Builds · Plimsoll" || focused != "skip" {
		t.Errorf("the title is %q, the first tab stop %q", title, focused)
	}
	look(ctx, t, "builds", 1200, 700)
	look(ctx, t, "builds-phone", 390, 800)
	if err := chromedp.Run(ctx, chromedp.Evaluate(`document.documentElement.scrollWidth > document.documentElement.clientWidth`, &overflow)); err != nil || overflow {
		t.Errorf("on a phone the page is wider than the screen: %v, %v", overflow, err)
	}
	if err := chromedp.Run(ctx, chromedp.Navigate(s.server.URL+"/builds/"+refused.ID), chromedp.WaitVisible(`.finding mark`)); err != nil {
		t.Fatal(err)
	}
	look(ctx, t, "refused", 1200, 1100)
	look(ctx, t, "refused-phone", 390, 1400)
	if err := chromedp.Run(ctx,
		chromedp.Navigate(s.server.URL+"/builds/"+running.ID),
		chromedp.Poll(`document.getElementById("log-status").textContent == "live"`, nil),
		chromedp.Text(`#log`, &log),
		chromedp.Title(&title),
	); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log, "<script>document.title='owned'</script>") || strings.Contains(title, "owned") {
		t.Errorf("the title is %q, the log:\n%s", title, log)
	}
	look(ctx, t, "running", 1200, 900)
	close(goOn)
	if err := chromedp.Run(ctx, chromedp.WaitVisible(`.state.succeeded`), chromedp.Text(`#log`, &log)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log, "copied 2") || !strings.Contains(log, "succeeded: ") {
		t.Errorf("the log did not go on by itself:\n%s", log)
	}
	for name, path := range map[string]string{"succeeded": "/builds/" + running.ID, "catalog": "/catalog", "audit": "/audit"} {
		if err := chromedp.Run(ctx, chromedp.Navigate(s.server.URL+path), chromedp.WaitVisible(`main table`)); err != nil {
			t.Fatal(err)
		}
		look(ctx, t, name, 1200, 900)
	}
}
