package standin

import (
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// allowed is what a client that only receives may send: invariant 4 of the
// design, stanza by stanza. Whatever matches no row is not allowed.
var allowed = []struct {
	kind    string
	tag     string
	attrs   map[string]string    // attributes that must have this value
	content []string             // children: at least one, and no other than these; nil for any
	also    func(n pattern) bool // what else must hold
}{
	{kind: "ack", tag: "ack"},
	{kind: "inactive receipt", tag: "receipt", attrs: attrs{"type": "inactive"}},
	{kind: "sender receipt", tag: "receipt", attrs: attrs{"type": "sender"}},
	{kind: "peer receipt", tag: "receipt", attrs: attrs{"type": "peer_msg"}, also: toOwnPhone},
	{kind: "history receipt", tag: "receipt", attrs: attrs{"type": "hist_sync"}, also: toOwnPhone},
	{kind: "retry receipt", tag: "receipt", attrs: attrs{"type": "retry"}},
	{kind: "media retry", tag: "receipt", attrs: attrs{"type": "server-error"}, also: toOwnPhone},
	{kind: "peer message", tag: "message", attrs: attrs{"category": "peer"}, also: toOwnPhone},
	{kind: "prekeys", tag: "iq", attrs: attrs{"xmlns": "encrypt", "type": "get"}, content: []string{"count"}},
	{kind: "prekeys", tag: "iq", attrs: attrs{"xmlns": "encrypt", "type": "set"}, content: []string{"registration", "type", "identity", "list", "skey"}},
	{kind: "ping", tag: "iq", attrs: attrs{"xmlns": "w:p", "type": "get"}},
	{kind: "active", tag: "iq", attrs: attrs{"xmlns": "passive", "type": "set"}, content: []string{"active"}},
	{kind: "app-state read", tag: "iq", attrs: attrs{"xmlns": "w:sync:app:state", "type": "set"}, content: []string{"sync"}, also: readsOnly},
	{kind: "group query", tag: "iq", attrs: attrs{"xmlns": "w:g2", "type": "get"}, content: []string{"query", "participating"}},
	{kind: "device query", tag: "iq", attrs: attrs{"xmlns": "usync", "type": "get"}, content: []string{"usync"}, also: devicesOnly},
	{kind: "device query", tag: "iq", attrs: attrs{"xmlns": "encrypt", "type": "get"}, content: []string{"key"}},
	{kind: "media query", tag: "iq", attrs: attrs{"xmlns": "w:m", "type": "set"}, content: []string{"media_conn"}},
	{kind: "pairing", tag: "iq", attrs: attrs{"xmlns": "", "type": "result"}},
	{kind: "pairing", tag: "iq", attrs: attrs{"xmlns": "", "type": "error"}},
	{kind: "pairing", tag: "iq", attrs: attrs{"xmlns": "md", "type": "set"}, content: []string{"link_code_companion_reg"}},
	{kind: "pairing", tag: "iq", attrs: attrs{"xmlns": "md", "type": "get"}, content: []string{"ref", "passkey_request_options"}},
	{kind: "pairing", tag: "iq", attrs: attrs{"xmlns": "md", "type": "set"}, content: []string{"passkey_prologue", "companion_nonce", "encrypted_pairing_request"}},
	{kind: "unlinking", tag: "iq", attrs: attrs{"xmlns": "md", "type": "set"}, content: []string{"remove-companion-device"}},
	{kind: "unified session", tag: "ib", content: []string{"unified_session"}},
}

type attrs = map[string]string

// A pattern is a stanza to be matched, and whose companion sent it.
type pattern struct {
	waBinary.Node
	own types.JID
}

// Classify names the kind of traffic that a stanza of a client is, if it is of
// a kind that a client which only receives is allowed, and otherwise returns
// the empty string. The client is a companion device of the account own.
func Classify(node waBinary.Node, own types.JID) string {
rows:
	for _, row := range allowed {
		if node.Tag != row.tag {
			continue
		}
		for key, want := range row.attrs {
			if got, _ := node.Attrs[key].(string); got != want {
				continue rows
			}
		}
		if row.content != nil && !holdsOnly(node, row.content...) {
			continue
		}
		if row.also != nil && !row.also(pattern{node, own}) {
			continue
		}
		return row.kind
	}
	return ""
}

// holdsOnly reports whether node has children, and none but those of the tags.
func holdsOnly(node waBinary.Node, tags ...string) bool {
	children := node.GetChildren()
	for _, child := range children {
		known := false
		for _, tag := range tags {
			known = known || child.Tag == tag
		}
		if !known {
			return false
		}
	}
	return len(children) > 0
}

func toOwnPhone(n pattern) bool {
	to, _ := n.Attrs["to"].(types.JID)
	return to == n.own.ToNonAD() && n.own.User != ""
}

// readsOnly reports whether an app-state request brings no patch with it.
func readsOnly(n pattern) bool {
	sync := n.GetChildByTag("sync")
	for _, collection := range sync.GetChildren() {
		if collection.Tag != "collection" || len(collection.GetChildren()) > 0 {
			return false
		}
	}
	return true
}

// devicesOnly reports whether a query for users asks for their devices only.
func devicesOnly(n pattern) bool {
	return holdsOnly(n.GetChildByTag("usync", "query"), "devices")
}
