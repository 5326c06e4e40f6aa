package standin_test

import (
	"testing"

	"muniment/internal/standin"
)

// A village is a server with the council's account, some members and a group.
type village struct {
	*standin.Server
	council, ann, bo, cy *standin.Member
	group                *standin.Group
}

// found makes a village and a client linked to the council's account.
func found(t *testing.T, o standin.Options) (*village, *client) {
	t.Helper()
	v := &village{Server: start(t, o)}
	v.council = v.Phone()
	v.ann = v.Member("Ann Brook", "+447700900101")
	v.bo = v.Member("Bo Nott", "+447700900102")
	v.cy = v.Member("Cy Penn", "+447700900103")
	v.group = v.Group("Official group", v.ann, v.council, v.bo)
	c := newClient(t, v.Server)
	c.link()
	return v, c
}
