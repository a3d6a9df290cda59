package erofs

// unLZ4 unpacks a block until dst is full and returns how much of it is. What lies behind in src is
// ignored, as by LZ4_decompress_safe_partial: an extent may use the start of a block only, and older images
// do not say how long the block is. "LZ4 Block Format Description".
func unLZ4(dst, src []byte) int {
	const (
		minMatch = 4
		more     = 15 // a length goes on in the bytes behind
	)
	n := 0
	length := func(v int) int {
		for v >= more {
			if len(src) == 0 || v > len(dst)+more {
				return v
			}
			b := int(src[0])
			src = src[1:]
			if v += b; b != 255 {
				break
			}
		}
		return v
	}
	for n < len(dst) && len(src) > 0 {
		token := int(src[0])
		src = src[1:]
		literals := length(token >> 4)
		take := min(literals, len(src), len(dst)-n)
		copy(dst[n:], src[:take])
		n += take
		if take < literals || n == len(dst) || len(src) < take+2 {
			return n
		}
		src = src[take:]
		back := int(src[0]) | int(src[1])<<8
		src = src[2:]
		if back == 0 || back > n {
			return n
		}
		for end := min(len(dst), n+length(token&15)+minMatch); n < end; n++ {
			dst[n] = dst[n-back] // one by one: it may overlap itself
		}
	}
	return n
}
