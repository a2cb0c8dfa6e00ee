// Package attack has tables of attempts to get past Plimsoll, each with what is tried and which rule stops it, tried at
// every place where it could be. The tables are tests: go test -v ./internal/attack prints them.
//
// What is tried at one gate only (a body of the Docker API, a flag of docker run) is in that gate's own package.
package attack
