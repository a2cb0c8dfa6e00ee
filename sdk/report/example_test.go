package report_test

import (
	"fmt"
	"os"
	"testing/fstest"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
	"github.com/plimsoll-dev/plimsoll/sdk/report"
)

func Example() {
	r := report.Report{
		Subject: "shop.git@3f2a9c1",
		Source:  fstest.MapFS{"Dockerfile": {Data: []byte("# the shop\nFROM debian:12\n")}},
		Findings: []finding.Finding{{
			Rule:     "DF1001",
			Severity: finding.Error,
			Place: finding.Place{
				File:  "Dockerfile",
				Start: finding.Position{Line: 2, Column: 6, Offset: 16},
				End:   finding.Position{Line: 2, Column: 15, Offset: 25},
			},
			Message: `base image "debian:12" is not in the catalog`,
			Help:    "choose one of the images that the catalog lists",
		}},
	}
	if err := (report.Text{}).Write(os.Stdout, r); err != nil {
		fmt.Println(err)
	}
	// Output:
	// Dockerfile:2:6: error: base image "debian:12" is not in the catalog (DF1001)
	//     2 | FROM debian:12
	//       |      ^^^^^^^^^
	//   help: choose one of the images that the catalog lists
	// shop.git@3f2a9c1: 1 error
}

func ExampleByName() {
	format, err := report.ByName("github")
	if err != nil {
		fmt.Println(err)
		return
	}
	err = format.Write(os.Stdout, report.Report{Findings: []finding.Finding{{
		Rule: "DF3003", Severity: finding.Warning, Place: finding.Place{File: "Dockerfile"}, Message: "no HEALTHCHECK",
	}}})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// ::warning file=Dockerfile,title=DF3003::no HEALTHCHECK
}
