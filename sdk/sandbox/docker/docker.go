// Package docker runs images under test in a Docker daemon (Engine 20.10 and newer, or a socket that speaks its API).
//
// Everything that it starts is labelled with the session, process and time, and removed by Close; what a killed process
// left behind is removed by the next New.
package docker
