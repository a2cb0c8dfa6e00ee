package delivery_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/cucumber/godog"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/plimsoll-dev/plimsoll/internal/homes"
	"github.com/plimsoll-dev/plimsoll/sdk/admission"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/agent"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/bundle"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/compile"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/keys"
	"github.com/plimsoll-dev/plimsoll/sdk/admission/sweep"
	"github.com/plimsoll-dev/plimsoll/sdk/attest"
	"github.com/plimsoll-dev/plimsoll/sdk/campaign"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage"
	"github.com/plimsoll-dev/plimsoll/sdk/lineage/scan"
	"github.com/plimsoll-dev/plimsoll/sdk/lint/rules"
	"github.com/plimsoll-dev/plimsoll/sdk/notify"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm"
	"github.com/plimsoll-dev/plimsoll/sdk/rebuild/storm/runner"
	"github.com/plimsoll-dev/plimsoll/sdk/registry"
)

// ops is what stands around deliveries: who bans, and a host that asks before it starts anything.
type ops struct {
	*yard

	lineage lineage.Store
	key     *attest.Key
	agent   *agent.Store
	gate    *admission.Gate
	bans    string
	version uint64

	before   map[string]string // what a reference was when it was delivered: its digest
	held     admission.Image   // what the host has
	decision admission.Decision
	preview  *campaign.Preview
	state    *campaign.State

	mu   sync.Mutex
	runs map[string]admission.Image
	news []notify.Event
}

// ready makes what is needed with the first image.
func (o *ops) ready() (err error) {
	if o.agent != nil {
		return nil
	}
	o.lineage, o.before, o.runs = lineage.NewMemory(), map[string]string{}, map[string]admission.Image{}
	if o.key, err = attest.GenerateKey(attest.Ed25519); err != nil {
		return err
	}
	trusted := attest.Keys{{Name: "ops", Key: o.key.Public()}}
	if o.agent, err = agent.Open(filepath.Join(o.dir, "agent"), agent.Options{Name: "promises", Verifier: keys.Verifier(trusted, time.Now)}); err != nil {
		return err
	}
	o.gate = admission.NewGate(admission.Options{Bundles: o.agent})
	return nil
}

func (o *ops) close() error {
	if o.agent == nil {
		return nil
	}
	return errors.Join(o.agent.Close(), o.lineage.Close())
}

// banSteps are about bans, and what comes of them.
func (o *ops) banSteps(sc *godog.ScenarioContext) {
	sc.Given(`^the image "([^"]+)" was delivered on "([^"]+)"$`, func(ctx context.Context, ref, base string) error { return o.delivered(ctx, ref, base, "") })
	sc.Given(`^the image "([^"]+)" was delivered on "([^"]+)" with "([^"]+)"$`, o.delivered)
	sc.Given(`^Ops (?:has banned|writes a ban of) "([^"]+)" in favour of "([^"]+)"( and does not publish it)?$`, o.ban)
	sc.Given(`^Ops has lifted the ban$`, func(ctx context.Context) error {
		o.bans += "    lifted: {at: 2026-06-01, by: bo, reason: it was nothing}\n"
		return o.publish(ctx)
	})
	sc.Given(`^somebody has copied "([^"]+)" to "([^"]+)"$`, func(ctx context.Context, from, to string) error {
		index, err := o.client.Index(ctx, o.server.Ref(from))
		if err != nil {
			return err
		}
		_, err = o.server.Push(ctx, to, index)
		return err
	})
	sc.Given(`^somebody has pushed "([^"]+)"$`, o.push)
	sc.Given(`^the host has "([^"]+)"$`, func(ctx context.Context, ref string) (err error) {
		o.held, err = o.means(ctx, ref)
		return err
	})
	sc.Given(`^the registry is down$`, func() error { return o.server.Close() })
	sc.Given(`^an instance of "([^"]+)" runs$`, o.start)
	sc.When(`^the instance is started anew$`, func(ctx context.Context) error {
		for ref := range o.runs {
			if err := o.start(ctx, ref); err != nil {
				return err
			}
		}
		return nil
	})
	sc.When(`^"([^"]+)" is about to start$`, func(ctx context.Context, ref string) error {
		image, err := o.means(ctx, ref)
		o.decision = o.gate.Decide(ctx, image)
		return err
	})
	sc.When(`^the host's image is about to start$`, func(ctx context.Context) { o.decision = o.gate.Decide(ctx, o.held) })
	sc.When(`^the image that "([^"]+)" was before is about to start$`, func(ctx context.Context, ref string) {
		o.decision = o.gate.Decide(ctx, admission.Image{Ref: ref, Digests: []string{o.before[ref]}})
	})
	sc.Then(`^it may start$`, func() error { return o.decision.Err() })
	sc.Then(`^its start is refused because of "([^"]+)"$`, o.refusedBy)
	sc.Then(`^the refusal says "([^"]+)"$`, o.refusedBy)
	sc.Then(`^the way out is "([^"]+)"$`, func(want string) error {
		if got := o.decision.Findings[0].Help; !strings.Contains(got, want) {
			return fmt.Errorf("it is %q", got)
		}
		return nil
	})
	o.campaignSteps(sc)
}

func (o *ops) campaignSteps(sc *godog.ScenarioContext) {
	sc.When(`^Ops looks at the preview$`, func(ctx context.Context) error {
		return o.campaign(ctx, func(parts campaign.Parts) (err error) {
			o.preview, err = campaign.Look(ctx, parts, "BAN-1")
			return err
		})
	})
	sc.When(`^the campaign has come to its end$`, func(ctx context.Context) error {
		return o.until(ctx, func(s *campaign.State) bool { return s.Phase.Over() })
	})
	sc.When(`^the campaign has replaced all images$`, func(ctx context.Context) error {
		return o.until(ctx, func(s *campaign.State) bool {
			return s.Step(campaign.StepReplace).Over() && s.Safety != nil && len(s.Safety.Tags) == 0
		})
	})
	sc.Then(`^the preview has (\d+) images? to rebase and (\d+) to build again$`, func(rebases, rebuilds int) error {
		got := [2]int{}
		for _, w := range o.preview.Storm.Waves {
			got[0], got[1] = got[0]+w.Rebases, got[1]+w.Rebuilds
		}
		if got != [2]int{rebases, rebuilds} {
			return fmt.Errorf("it has %d and %d: %+v", got[0], got[1], o.preview.Storm.Items)
		}
		return nil
	})
	sc.Then(`^"([^"]+)" (?:still stands on|was rebased onto|was built again on) "([^"]+)"$`, o.standsOn)
	sc.Then(`^all is safe$`, func() error {
		if o.state.Phase != campaign.Safe {
			return fmt.Errorf("it is %s: %s", o.state.Phase, o.state.Safety)
		}
		return nil
	})
	sc.Then(`^it is not safe because of (\d+) instances?$`, func(n int) error {
		if s := o.state.Safety; s.Safe() || len(s.Instances) != n || o.state.Phase != campaign.Running {
			return fmt.Errorf("%s: %s", o.state.Phase, s)
		}
		return nil
	})
	sc.Then(`^the images that were there before are there still, by their digests$`, func(ctx context.Context) error {
		for ref, digest := range o.before {
			repository, _, _ := strings.Cut(ref, ":")
			if _, err := o.client.Index(ctx, o.server.Host+"/"+repository+"@"+digest); err != nil {
				return err
			}
		}
		return nil
	})
	sc.Then(`^each owner was told once$`, func() error {
		told := map[string]int{}
		for _, e := range o.news {
			if e.Kind == notify.IncidentDetected {
				told[strings.Join(e.Teams, ",")]++
			}
		}
		if len(told) != 3 || told["app"] != 1 || told["tool"] != 1 || told[""] != 1 { // the base has no owner: that is told to Ops
			return fmt.Errorf("told were %v", told)
		}
		return nil
	})
}

// delivered has an image built, tested and published, and the lineage know of it.
func (o *ops) delivered(ctx context.Context, ref, base, line string) error {
	if err := o.ready(); err != nil {
		return err
	}
	repository, tag, _ := strings.Cut(ref, ":")
	dir := repository[strings.LastIndex(repository, "/")+1:]
	if o.catalog == "" {
		o.catalog = o.at("version: 1\nowner: base-images@example.com\nbases: [{repository: HOST/base/userland, tags: [\"*\"]}]\n")
		if _, err := o.git("init", "-q"); err != nil {
			return err
		}
	}
	for file, text := range map[string]string{
		"Dockerfile":             "FROM " + o.server.Ref(base) + "\nCOPY greeting /greeting\n" + line + "\nUSER 65534:65534\n",
		"greeting":               dir + "\n",
		"features/image.feature": "Feature: The image\n  Scenario: It greets\n    Then the file \"/greeting\" exists\n",
	} {
		path := filepath.Join(o.repository(), dir, file)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			return err
		}
	}
	if _, err := o.git("add", "."); err != nil {
		return err
	}
	if _, err := o.git("commit", "-qm", ref); err != nil {
		return err
	}
	published, err := o.build(ctx, dir, "HEAD", o.server.Host+"/"+repository, tag)
	if err != nil {
		return err
	}
	_, o.before[ref], _ = strings.Cut(published, "@")
	scanner := scan.Scanner{Registry: o.client, Store: o.lineage} // bases are made by others
	if _, err := scanner.Scan(ctx, scan.What{Repositories: []string{o.server.Host + "/base/userland"}}); err != nil {
		return err
	}
	return o.publish(ctx)
}

// build delivers a directory of the repository, as the catalog of now has it.
func (o *ops) build(ctx context.Context, dir, commit, publish string, tags ...string) (string, error) {
	cat, err := o.cat(ctx)
	if err != nil {
		return "", err
	}
	layout, err := os.MkdirTemp(o.dir, "layout-")
	if err != nil {
		return "", err
	}
	delivery := pipeline.Delivery{Catalog: cat, Registry: o.client, Builder: o.builder, Sandbox: o.sandbox, Rules: rules.All(), Lineage: o.lineage}
	order := pipeline.Order{Repository: o.repository(), Ref: commit, Layout: filepath.Join(layout, "oci"), Publish: publish, Tags: tags}
	order.Load.Dir = dir
	done, err := delivery.Run(ctx, pipeline.NewRun(pipeline.Options{}), order)
	if err != nil {
		return "", err
	}
	_, digest, _ := strings.Cut(done.Reference, "@")
	var owned lineage.Batch
	for img, err := range o.lineage.Images(ctx, []string{digest}) {
		if err != nil {
			return "", err
		}
		for _, m := range img.Manifests {
			owned.Images = append(owned.Images, lineage.Image{Digest: m.Digest, Kind: lineage.KindManifest, Owner: dir})
		}
	}
	return done.Reference, o.lineage.Put(ctx, owned)
}

func (o *ops) cat(context.Context) (*catalog.Catalog, error) {
	return catalog.Load("catalog.yaml", []byte(o.catalog+o.bans))
}

func (o *ops) ban(ctx context.Context, ref, instead, later string) error {
	repository, tag, _ := strings.Cut(ref, ":")
	o.bans = o.at(fmt.Sprintf(`bans:
  - id: BAN-1
    repository: HOST/%s
    tags: [%q]
    reason: a hole in the shell
    severity: high
    denyFrom: 2026-05-01
    replacement: {tag: %q}
    author: ana
    approver: bo
`, repository, tag, instead))
	if later != "" {
		return nil
	}
	return o.publish(ctx)
}

func (o *ops) publish(ctx context.Context) error {
	cat, err := o.cat(ctx)
	if err == nil {
		_, err = o.deny(ctx, cat)
	}
	return err
}

// deny makes the deny bundle, which the host's agent takes.
func (o *ops) deny(ctx context.Context, cat *catalog.Catalog) (uint64, error) {
	o.version++
	b := bundle.NewBuilder(bundle.Header{Name: "promises", Version: o.version, Issued: time.Now(), Expires: time.Now().Add(time.Hour), Catalog: cat.Digest()})
	if _, err := compile.Compile(ctx, b, cat, o.lineage, compile.Options{At: time.Now()}); err != nil {
		return 0, err
	}
	var data bytes.Buffer
	if err := b.Write(ctx, &data, keys.Signer(o.key)); err != nil {
		return 0, err
	}
	_, err := o.agent.Adopt(ctx, data.Bytes())
	return o.version, err
}

// means is what a reference points to now.
func (o *ops) means(ctx context.Context, ref string) (admission.Image, error) {
	desc, err := o.client.Head(ctx, o.server.Ref(ref))
	return admission.Image{Ref: ref, Digests: []string{desc.Digest.String()}}, err
}

func (o *ops) start(ctx context.Context, ref string) error {
	image, err := o.means(ctx, ref)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.runs[ref] = image
	return err
}

func (o *ops) refusedBy(want string) error {
	if o.decision.Outcome != admission.Denied || !strings.Contains(o.decision.Err().Error(), want) {
		return fmt.Errorf("the start check says: %s", o.decision)
	}
	return nil
}

func (o *ops) standsOn(ctx context.Context, ref, base string) error {
	image, err := o.client.Index(ctx, o.server.Ref(ref))
	if err != nil {
		return err
	}
	below, err := o.client.Index(ctx, o.server.Ref(base))
	if err != nil {
		return err
	}
	have, err := bottom(image)
	if err != nil {
		return err
	}
	want, err := bottom(below)
	if err == nil && have != want {
		err = fmt.Errorf("its lowest layer is %s, that of %s is %s", have, base, want)
	}
	return err
}

// bottom is the lowest layer of an index's image.
func bottom(index v1.ImageIndex) (string, error) {
	list, err := index.IndexManifest()
	if err != nil {
		return "", err
	}
	image, err := index.Image(list.Manifests[0].Digest)
	if err != nil {
		return "", err
	}
	manifest, err := image.Manifest()
	if err != nil {
		return "", err
	}
	return manifest.Layers[0].Digest.String(), nil
}

// Instances implements [sweep.Lister].
func (o *ops) Instances(context.Context) ([]admission.Instance, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []admission.Instance
	for ref, image := range o.runs {
		all = append(all, admission.Instance{Place: "docker://host", ID: ref, Name: ref, Image: image})
	}
	return all, nil
}

// until runs the campaign, with a storm beside it, until it is as wanted.
func (o *ops) until(ctx context.Context, want func(*campaign.State) bool) error {
	return o.campaign(ctx, func(parts campaign.Parts) (err error) {
		engine, err := campaign.Open(filepath.Join(o.dir, "campaigns"), parts)
		if err != nil {
			return err
		}
		defer engine.Close()
		if o.state, err = engine.Start(ctx, "BAN-1", "ana"); err != nil {
			return err
		}
		running, stop := context.WithTimeout(ctx, 2*time.Minute)
		defer stop()
		go func() {
			for running.Err() == nil {
				if s, err := engine.State("BAN-1"); err == nil && want(s) {
					stop()
				}
				time.Sleep(20 * time.Millisecond)
			}
		}()
		if o.state, err = engine.Run(running, "BAN-1"); err == nil && !want(o.state) {
			err = fmt.Errorf("it is %s: %v", o.state.Phase, o.state.Safety)
		}
		return err
	})
}

// campaign opens a storm and hands over what a campaign joins.
func (o *ops) campaign(ctx context.Context, do func(campaign.Parts) error) error {
	client := registry.New(registry.Options{})
	defer client.Close()
	storms, err := runner.Open(ctx, runner.Options{
		Database: filepath.Join(o.dir, "storm.db"), Registry: client, Lineage: o.lineage,
		Engines: []runner.Engine{{Name: "embedded", Rebuilder: runner.RebuilderFunc(func(ctx context.Context, r runner.Request) (string, error) {
			dir := r.Item.Repository[strings.LastIndex(r.Item.Repository, "/")+1:]
			return o.build(ctx, dir, r.Item.Definition.Commit, r.Item.Repository)
		})}},
	})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- storms.Run(running) }()
	err = do(campaign.Parts{
		Catalog: o.cat, Facts: homes.CatalogFacts(client), Lineage: o.lineage, Deny: o.deny, Storm: storms, Poll: 50 * time.Millisecond,
		Planner: &storm.Planner{Lineage: o.lineage, Mover: storms.Mover(), Policy: func(catalog.Project, string) rebuild.Policy { return rebuild.Policy{} }},
		Sweep:   func(ctx context.Context) (*sweep.Report, error) { return sweep.Sweep(ctx, o.gate, o) },
		Resolve: func(ctx context.Context, ref string) (string, error) {
			desc, err := client.Head(ctx, ref)
			return desc.Digest.String(), err
		},
		Notifier: notify.Func(func(_ context.Context, e notify.Event) error {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.news = append(o.news, e)
			return e.Check()
		}),
	})
	stop()
	return errors.Join(err, <-ended, storms.Close())
}
