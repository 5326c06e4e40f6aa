package history

import (
	"bufio"
	"compress/flate"
	"compress/zlib"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
)

// What is in a piece is as large as the phone makes it, and it is not ours: no more of it
// is taken in than this. Messages hold small pictures at most; their files lie elsewhere.
const (
	maxPiece   = 4 << 30 // bytes, inflated
	maxMessage = 8 << 20
	maxName    = 256 // of a chat's address
)

// ErrForm is returned of a piece that is not what WhatsApp calls a history.
var ErrForm = errors.New("it is not in a form that this version can read")

// The fields on the way to a message, as in WAWebProtobufsHistorySync.
const (
	syncConversations    protowire.Number = 2 // of HistorySync
	conversationID       protowire.Number = 1
	conversationMessages protowire.Number = 2
	historyMessage       protowire.Number = 1 // of HistorySyncMsg
)

// Walk goes through a piece, as it is once it is unsealed, and calls each with every
// message of a listed chat, a marshalled WebMessageInfo that is valid during the call; nil
// stands for one that cannot be read, of whatever chat. Of other chats nothing but the
// address is looked at, and nothing is ever held but one message.
//
// It returns [ErrForm], or what each or the reader returned.
func Walk(piece io.Reader, listed func(chat string) bool, each func(chat string, message []byte) error) error {
	z, err := zlib.NewReader(piece)
	if err != nil {
		return formed(err)
	}
	defer z.Close()
	w := walk{in: bufio.NewReaderSize(z, 64<<10), listed: listed, each: each}
	if err := w.fields(maxPiece, func(num protowire.Number, end int64) error {
		if num == syncConversations {
			return w.conversation(end)
		}
		return w.skip(end)
	}); err != nil {
		return formed(err)
	}
	return nil
}

// formed makes of what the libraries say of a broken piece that it is one.
func formed(err error) error {
	if errors.Is(err, zlib.ErrHeader) || errors.Is(err, zlib.ErrChecksum) || errors.Is(err, zlib.ErrDictionary) || isFlate(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: %w", ErrForm, err)
	}
	return err
}

// A walk is on its way through a piece.
type walk struct {
	in      *bufio.Reader
	at      int64  // bytes from the beginning
	message []byte // room for one
	listed  func(chat string) bool
	each    func(chat string, message []byte) error
}

// fields calls each for every field up to end whose value has a length, with where that
// ends and to be gone through up to there. What stands in others is of no interest. A
// whole piece may end before.
func (w *walk) fields(end int64, each func(num protowire.Number, end int64) error) error {
	for w.at < end {
		tag, err := w.varint()
		if errors.Is(err, io.EOF) && end == maxPiece {
			return nil
		} else if err != nil {
			return err
		}
		num, typ := protowire.DecodeTag(tag)
		switch {
		case num < protowire.MinValidNumber:
			err = ErrForm
		case typ == protowire.VarintType:
			_, err = w.varint()
		case typ == protowire.Fixed32Type:
			err = w.skip(w.at + 4)
		case typ == protowire.Fixed64Type:
			err = w.skip(w.at + 8)
		case typ == protowire.BytesType:
			var length uint64
			if length, err = w.varint(); err == nil && length > uint64(end-w.at) {
				err = ErrForm
			}
			if err == nil {
				err = each(num, w.at+int64(length))
			}
		default: // groups: nobody uses them
			err = ErrForm
		}
		if err != nil {
			return err
		}
	}
	if w.at > end || end == maxPiece { // the latter: it is absurdly large
		return ErrForm
	}
	return nil
}

// conversation goes through a chat. Its address comes first; if it does not, it is none
// that can be told from others.
func (w *walk) conversation(end int64) error {
	chat, first := "", true
	return w.fields(end, func(num protowire.Number, end int64) error {
		was := first
		first = false
		switch {
		case was && num == conversationID && end-w.at <= maxName:
			id, err := w.take(end)
			chat = string(id)
			return err
		case num != conversationMessages:
			return w.skip(end)
		case chat == "":
			return errors.Join(w.skip(end), w.each("", nil))
		case !w.listed(chat):
			return w.skip(end)
		}
		return w.fields(end, func(num protowire.Number, end int64) error {
			switch {
			case num != historyMessage:
				return w.skip(end)
			case end-w.at > maxMessage:
				return errors.Join(w.skip(end), w.each(chat, nil))
			}
			message, err := w.take(end)
			if err != nil {
				return err
			}
			return w.each(chat, message)
		})
	})
}

// take reads up to end, which is not far. What it returns is valid until the next call.
func (w *walk) take(end int64) ([]byte, error) {
	n := int(end - w.at)
	if cap(w.message) < n {
		w.message = make([]byte, n, 2*n)
	}
	b := w.message[:n]
	n, err := io.ReadFull(w.in, b)
	w.at += int64(n)
	return b, whole(err)
}

func (w *walk) skip(end int64) error {
	for w.at < end {
		n, err := w.in.Discard(int(min(end-w.at, 1<<20)))
		w.at += int64(n)
		if err != nil {
			return whole(err)
		}
	}
	return nil
}

// varint reads a number. It returns io.EOF if there is nothing more.
func (w *walk) varint() (uint64, error) {
	var b [10]byte
	for i := range b {
		c, err := w.in.ReadByte()
		if err != nil && i > 0 {
			return 0, whole(err)
		} else if err != nil {
			return 0, err
		}
		w.at++
		if b[i] = c; c < 0x80 {
			v, n := protowire.ConsumeVarint(b[:i+1])
			if n < 0 {
				return 0, ErrForm
			}
			return v, nil
		}
	}
	return 0, ErrForm
}

func whole(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func isFlate(err error) bool {
	var corrupt flate.CorruptInputError
	return errors.As(err, &corrupt)
}
