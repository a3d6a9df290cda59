package kernel

import (
	"errors"
	"fmt"

	"bootpath/sim/decode"
	"bootpath/sim/trace"
)

// Because turns the error of a parser or of a system call into what lies behind a reason.
func Because(err error) *trace.Reason {
	var bad *decode.Error
	var errno Errno
	switch {
	case errors.As(err, &bad):
		where := fmt.Sprintf("%#x", bad.Off)
		if len(bad.Spans) > 0 {
			where = bad.Spans[0].String()
		}
		return trace.Why("unknown.bad-bytes", "what", bad.What, "where", where, "want", bad.Want, "got", bad.Got)
	case errors.As(err, &errno):
		return trace.Why("unknown.refused", "error", errno.Strerror())
	}
	return trace.Why("unknown.error", "error", err.Error())
}
