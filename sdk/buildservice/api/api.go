// Package api has what the build service and its clients say to each other: version 1 of the HTTP API, as Go types. The
// service makes its OpenAPI document from them. Clients want package client, which sends and receives them.
//
// Fields are added within a version; none changes its meaning or goes.
package api

import (
	"time"

	"github.com/plimsoll-dev/plimsoll/sdk/finding"
)

// Request asks for a build: a repository and a commit, and which definition in it. It can upload nothing and weaken
// nothing; what may be built, on what and where to it goes is Ops' configuration of the project.
type Request struct {
	// Repository is the URL of the git repository, as the project's configuration has it.
	Repository string `json:"repository" minLength:"1" maxLength:"1000" doc:"URL of the git repository, as the project's configuration has it" example:"https://git.example/team/pay.git"`
	// Commit is the whole id of a commit: branches and tags move, so they are refused.
	Commit string `json:"commit" pattern:"^([0-9a-f]{40}|[0-9a-f]{64})$" patternDescription:"a commit's whole id, 40 or 64 hexadecimal digits: branches and tags move" doc:"Whole id of the commit. Branches and tags move, so they are refused" example:"8f3c1e0d5b7a49c2e6f0a1b2c3d4e5f60718293a"`
	// Directory is the definition's place in the repository, with slashes. Default: its root.
	Directory string `json:"directory,omitempty" maxLength:"500" doc:"Directory of the definition in the repository. Default: its root" example:"services/pay"`
	// Dockerfile is the definition's file, relative to Directory. Default "Dockerfile".
	Dockerfile string `json:"dockerfile,omitempty" maxLength:"200" doc:"The definition's file, relative to the directory. Default: Dockerfile"`
	// Target is the stage to build. Default: the last one.
	Target string `json:"target,omitempty" maxLength:"200" doc:"Stage to build. Default: the last one"`
	// Platforms to build for. Default: the project's, or the builder's own.
	Platforms []string `json:"platforms,omitempty" maxItems:"8" doc:"Platforms to build for. Default: the project's, or the builder's own" example:"[\"linux/amd64\"]"`
	// Args are build arguments; only those that the project's configuration names are taken.
	Args map[string]string `json:"args,omitempty" doc:"Build arguments; only those that the project's configuration names are taken"`
	// Tags are what the image is called beside its digest; only those that the project's configuration allows are taken.
	Tags []string `json:"tags,omitempty" maxItems:"8" doc:"Tags for the image; only those that the project's configuration allows are taken" example:"[\"1.2.3\"]"`
	// Priority is from 1 (now) to 4 (when there is time). Default 2. The project's configuration has the highest that it may
	// ask for.
	Priority int `json:"priority,omitempty" minimum:"0" maximum:"4" doc:"From 1 (now) to 4 (when there is time). Default: 2"`
}

// State is how far a build has come.
type State string

// The states. All but Queued and Running are final.
const (
	Queued    State = "queued"
	Running   State = "running"
	Succeeded State = "succeeded" // published, with its evidence
	Refused   State = "refused"   // findings or tests stopped it: somebody has to change the definition
	Failed    State = "failed"    // a step of the build failed, or it could not be done
	Cancelled State = "cancelled"
)

// Final says whether nothing more happens to a build.
func (s State) Final() bool { return s != Queued && s != Running }

// Build is a build as the service shows it.
type Build struct {
	ID      string  `json:"id" doc:"Names the build in this service"`
	Project string  `json:"project"`
	Team    string  `json:"team,omitempty"`
	Request Request `json:"request"`
	// Caller is who asked for it.
	Caller string `json:"caller"`
	State  State  `json:"state" enum:"queued,running,succeeded,refused,failed,cancelled"`
	// Stage is the stage of the delivery that runs, or in which it ended.
	Stage string `json:"stage,omitempty" doc:"Stage that runs, or in which it ended"`
	// Reason says in words why a build was refused, failed, was cancelled or is tried again.
	Reason string `json:"reason,omitempty" doc:"Why it was refused, failed, was cancelled or is tried again"`
	// Reference is the published image, by digest.
	Reference string `json:"reference,omitempty" doc:"The published image, by digest"`
	// Runs counts how often it was begun: a worker that dies and a fault of the registry cost another.
	Runs    int        `json:"runs" doc:"How often it was begun"`
	Created time.Time  `json:"created"`
	Started *time.Time `json:"started,omitempty"`
	Ended   *time.Time `json:"ended,omitempty"`
	// Findings are those of the catalog and of the rules. A list of builds leaves them out.
	Findings []finding.Finding `json:"findings,omitempty" doc:"Findings of the catalog and of the rules; not in lists"`
	// Inputs are what the build read, by digest. A list of builds leaves them out.
	Inputs []Input `json:"inputs,omitempty" doc:"What the build read; not in lists"`
	// Stages are the records of the last run. A list of builds leaves them out.
	Stages []Stage `json:"stages,omitempty" doc:"Stages of the last run; not in lists"`
	// Artifacts are the names under which reports can be had.
	Artifacts []string `json:"artifacts,omitempty" doc:"Names of the reports that can be had"`
}

// Input is something that a build read.
type Input struct {
	Kind string `json:"kind"`
	// Requested is what the definition asked for, Effective what was used, which differs where the catalog moved it.
	Requested string `json:"requested"`
	Effective string `json:"effective,omitempty"`
	Digest    string `json:"digest,omitempty"`
	Platform  string `json:"platform,omitempty"`
	Place     string `json:"place,omitempty"`
}

// Stage is one stage of a delivery.
type Stage struct {
	Name    string    `json:"name"`
	Started time.Time `json:"started"`
	// Milliseconds is how long it took.
	Milliseconds int64  `json:"milliseconds"`
	Error        string `json:"error,omitempty"`
}

// List is a page of builds, newest first.
type List struct {
	Builds []Build `json:"builds"`
	// Next is what to give as "before" for the next page; empty at the end.
	Next string `json:"next,omitempty" doc:"Give it as before for the next page; absent at the end"`
}

// Line is one line of a build's log.
type Line struct {
	// Seq counts the lines of a build from 1, without gaps, over all of its runs.
	Seq   int64     `json:"seq"`
	Time  time.Time `json:"time"`
	Stage string    `json:"stage,omitempty"`
	Text  string    `json:"text"`
}

// End is the last event of a log: how the build ended.
type End struct {
	State     State  `json:"state"`
	Reason    string `json:"reason,omitempty"`
	Reference string `json:"reference,omitempty"`
}
