package lint

// Shared is something that several rules work out from a file. It is worked out once for each pass, when the first rule
// asks, and then shared: nobody may change it. The value itself holds no state and may be used concurrently.
//
//	var secrets = lint.Share(func(pass *lint.Pass) map[string]bool { ... }) // then, in rules: secrets.Of(pass)
type Shared[T any] struct{ work func(*Pass) T }

// Share returns what rules ask for what the function works out.
func Share[T any](work func(*Pass) T) *Shared[T] { return &Shared[T]{work} }

// Of returns it for the file of a pass.
func (s *Shared[T]) Of(p *Pass) T {
	if v, ok := p.shared[s]; ok {
		return v.(T)
	}
	v := s.work(p)
	if p.shared == nil {
		p.shared = map[any]any{}
	}
	p.shared[s] = v
	return v
}
