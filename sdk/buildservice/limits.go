package buildservice

import "time"

// Limits keep callers from taking more than their share of the service. The zero value is useful.
type Limits struct {
	// Body is how large a request may be, in bytes. Default 64 KiB.
	Body int64
	// Concurrent is how many requests are answered at once; more get a 503. Default 256.
	Concurrent int
	// Followers is how many may follow logs at once. Default 2000.
	Followers int
	// Rate is how many requests of one caller are answered in a second, Burst how many at once. Default 50 and 100.
	Rate  float64
	Burst int
	// Unknown is the same, with the same burst, for requests of one address that prove nothing. Default 5.
	Unknown float64
	// Idle is after how long a quiet log sends a comment, so that dead connections are noticed. Default 15 s.
	Idle time.Duration
}

func (l Limits) withDefaults() Limits {
	setDefault(&l.Body, 64<<10)
	setDefault(&l.Concurrent, 256)
	setDefault(&l.Followers, 2000)
	setDefault(&l.Rate, 50)
	setDefault(&l.Burst, 100)
	setDefault(&l.Unknown, 5)
	setDefault(&l.Idle, 15*time.Second)
	return l
}
