package outbound

import "io"

// ReadAll reads to the end, or fails with ErrTooLarge where there are more than
// limit bytes. It never returns more than that.
func ReadAll(r io.Reader, limit int64) ([]byte, error) {
	return io.ReadAll(&bounded{Reader: r, left: limit})
}

// bounded fails once there is more than left bytes. A reader may not know that
// it has ended before it is asked for one byte more, so that byte is read, and
// kept back.
type bounded struct {
	io.Reader
	left     int64
	exceeded bool
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.exceeded {
		return 0, ErrTooLarge
	}
	if b.left > 0 || len(p) == 0 {
		n, err := b.Reader.Read(p[:min(int64(len(p)), b.left)])
		b.left -= int64(n)
		return n, err
	}
	var more [1]byte
	n, err := b.Reader.Read(more[:])
	if n > 0 {
		b.exceeded = true
		return 0, ErrTooLarge
	}
	return 0, err
}

// boundedBody is the body of an answer.
type boundedBody struct {
	*bounded
	io.Closer
}
