package exercise

// random is splitmix64: a counter through a mixing function. Guy L. Steele Jr., Doug Lea, Christine H. Flood:
// "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014, section 5. The engine has no chance of its own:
// a seed names an exercise for ever.
type random struct{ state uint64 }

func newRandom(seed int64) *random { return &random{uint64(seed)} }

func (r *random) next() uint64 {
	r.state += 0x9e3779b97f4a7c15 // the golden ratio, odd
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below gives a number from 0 to n-1. The remainder favours small numbers by less than n in 2^64.
func (r *random) below(n int) int { return int(r.next() % uint64(n)) }
