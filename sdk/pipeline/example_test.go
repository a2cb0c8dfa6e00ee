package pipeline_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/plimsoll-dev/plimsoll/sdk/catalog"
	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/lint/rules"
	"github.com/plimsoll-dev/plimsoll/sdk/pipeline"
)

func ExampleDelivery() {
	ctx := context.Background()
	shop, err := newShop()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer shop.close()
	repository, allowed, layout := shop.repository, shop.catalog, shop.dir+"/layout"
	client, builder, runtime, target := shop.client, shop.builder(), shop.runtime(), shop.server.Ref("team/app")

	// ---
	cat, err := catalog.Load("catalog.yaml", allowed) // what Ops allows
	if err != nil {
		fmt.Println(err)
		return
	}
	delivery := pipeline.Delivery{Catalog: cat, Registry: client, Builder: builder, Sandbox: runtime, Rules: rules.All()}
	delivered, err := delivery.Run(ctx, pipeline.NewRun(pipeline.Options{}), pipeline.Order{
		Repository: repository, Ref: "v1.2.3", Layout: layout, Publish: target, Tags: []string{"1.2.3"},
	})
	if refused, ok := errors.AsType[*finding.GateError](err); ok {
		fmt.Println("refused:", refused.Findings) // each with its place and the way out
	}
	for _, stage := range delivered.Records {
		fmt.Println(stage.Stage)
	}
	// Output:
	// checkout
	// inputs
	// bases
	// lint
	// build
	// test
	// publish
}
