package delivery_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/cucumber/godog"
)

// sourceSteps are about what teams and Ops write.
func (y *yard) sourceSteps(sc *godog.ScenarioContext) {
	sc.Given(`^the base image "([^"]+)"$`, y.push)
	sc.Given(`^a catalog$`, func(text *godog.DocString) { y.catalog = y.at(text.Content) + "\n" })
	sc.Given(`^the catalog also says$`, func(text *godog.DocString) { y.catalog += y.at(text.Content) + "\n" })
	sc.Given(`^a repository with the file "([^"]+)"$`, func(name string, text *godog.DocString) error {
		if _, err := y.git("init", "-q", "-b", "main"); err != nil {
			return err
		}
		return y.write(name, text)
	})
	sc.Given(`^the repository has the file "([^"]+)"$`, y.write)
	sc.Given(`^everything is committed$`, y.commit)
	sc.Given(`^everything is committed as "([^"]+)"$`, func(tag string) error {
		if err := y.commit(); err != nil {
			return err
		}
		_, err := y.git("tag", tag)
		return err
	})
	sc.When(`^the definition is delivered$`, func(ctx context.Context) error { return y.deliver(ctx, "", y.server.Ref("team/app")) })
	sc.When(`^the definition is delivered at "([^"]+)"$`, func(ctx context.Context, ref string) error { return y.deliver(ctx, ref, y.server.Ref("team/app")) })
	sc.When(`^the definition is delivered without publishing$`, func(ctx context.Context) error { return y.deliver(ctx, "", "") })
}

func (y *yard) write(name string, text *godog.DocString) error {
	path := filepath.Join(y.repository(), name)
	return errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(y.at(text.Content)+"\n"), 0o600))
}

func (y *yard) commit() error {
	if _, err := y.git("add", "-A"); err != nil {
		return err
	}
	_, err := y.git("commit", "-q", "-m", "A change")
	return err
}
