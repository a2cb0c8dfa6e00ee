package cel_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog/catalogtest"
	"github.com/plimsoll-dev/plimsoll/sdk/catalog/cel"
)

func TestCompile(t *testing.T) {
	project := catalog.Project{Repository: "https://git.example/shop/cart", Directory: "api", Labels: map[string]string{"tier": "test", "x": ""}}
	for _, tt := range []struct {
		expression string
		want       bool
	}{
		{`labels["tier"] == "test"`, true},
		{`labels.tier == "test"`, true},
		{`labels["tier"] == "prod"`, false},
		{`labels["absent"] == ""`, true},
		{`labels["absent"] != "prod"`, true},
		{`"absent" in labels`, false},
		{`"x" in labels`, true},
		{`repository.startsWith("https://git.example/") && directory != "web"`, true},
		{`labels.exists(k, k == "tier")`, true},
		{`repository.matches("^https://git[.]example/shop/")`, true},
	} {
		condition, err := cel.Compile(tt.expression)
		if err != nil {
			t.Errorf("%s: %v", tt.expression, err)
			continue
		}
		if got, err := condition(project); got != tt.want || err != nil {
			t.Errorf("%s = %v, %v", tt.expression, got, err)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	for _, tt := range []struct{ name, expression, want string }{
		{"syntax", `labels["tier"] ==`, "column 18: Syntax error: mismatched input '<EOF>'"},
		{"unknown name", `label["tier"] == "x"`, "column 1: undeclared reference to 'label' (in container '')"},
		{"no condition", `labels["tier"]`, "the expression is a string, neither true nor false"},
		{"length", strings.Repeat(" ", 5000), "the expression has 5000 bytes; 4096 are allowed"},
		{"depth", strings.Repeat("(", 100) + "true" + strings.Repeat(")", 100), ""},
		{"nodes", "true" + strings.Repeat(" && true", 400), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			condition, err := cel.Compile(tt.expression)
			if condition != nil || err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestCostIsLimited(t *testing.T) {
	condition, err := cel.Compile(`labels.all(a, labels.all(b, labels.all(c, a + b + c != "x")))`)
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{}
	for i := range 200 {
		labels[fmt.Sprint(i)] = ""
	}
	if _, err := condition(catalog.Project{Labels: labels}); err == nil || !strings.Contains(err.Error(), "cost limit") {
		t.Errorf("got %v", err)
	}
}

const conditional = `version: 1
owner: o
bases: [{repository: docker.io/library/debian, tags: ["12"]}]
exceptions:
  - id: EX-1
    project: {repository: "https://git.example/shop/*", when: 'labels["tier"] == "test"'}
    scope: {image: {repository: docker.io/library/nginx, tags: ["1.27"]}}
    reason: a trial
    owner: shop
    approver: jane
    until: 2026-12-31
`

func TestConditionsInACatalog(t *testing.T) {
	cat, err := catalog.Loader{Conditions: cel.Compile}.Load("catalog.yaml", []byte(conditional))
	if err != nil {
		t.Fatal(err)
	}
	project := func(tier string) catalog.Project {
		return catalog.Project{Repository: "https://git.example/shop/cart", Labels: map[string]string{"tier": tier}}
	}
	catalogtest.Run(t, cat,
		catalogtest.Case{Name: "holds", Project: project("test"), Dockerfile: "FROM nginx:1.27", Want: []string{"allow nginx:1.27"}},
		catalogtest.Case{Name: "does not hold", Project: project("prod"), Dockerfile: "FROM nginx:1.27", Want: []string{"deny nginx:1.27 (DF1001)"}},
	)

	_, err = catalog.Loader{Conditions: cel.Compile}.Load("catalog.yaml", []byte(strings.Replace(conditional, "labels[", "lables[", 1)))
	const want = "catalog.yaml:6:63: when: column 1: undeclared reference to 'lables' (in container '')"
	if diff := cmp.Diff(want, fmt.Sprint(err)); diff != "" {
		t.Error(diff)
	}
}

func TestConditionThatFailsDenies(t *testing.T) {
	src := strings.Replace(conditional, `labels["tier"] == "test"`, `1 / int(labels["n"]) == 1`, 1)
	cat, err := catalog.Loader{Conditions: cel.Compile}.Load("catalog.yaml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	q := catalog.Question{Project: catalog.Project{Repository: "https://git.example/shop/cart", Labels: map[string]string{"n": "0"}}, At: time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)}
	plan, err := cat.Plan(t.Context(), q, nil)
	if plan != nil || err == nil || !strings.HasPrefix(err.Error(), "catalog.yaml:5:5: condition of exception EX-1: ") {
		t.Errorf("got %v, %v", plan, err)
	}
}

func ExampleCompile() {
	condition, err := cel.Compile(`labels["tier"] == "test" && directory.startsWith("services/")`)
	if err != nil {
		fmt.Println(err)
		return
	}
	holds, err := condition(catalog.Project{
		Repository: "https://git.example/shop/cart", Directory: "services/cart", Labels: map[string]string{"tier": "test"},
	})
	fmt.Println(holds, err)
	// Output: true <nil>
}
