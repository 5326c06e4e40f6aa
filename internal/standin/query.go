package standin

import (
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// queries are the queries that the server knows, by namespace and first child,
// each with what makes the answer's content or the code of an error.
var queries = map[string]func(*connection, *waBinary.Node) ([]waBinary.Node, int){
	"encrypt count":              (*connection).countPreKeys,
	"encrypt registration":       (*connection).takePreKeys,
	"encrypt key":                (*connection).giveKeys,
	"passive active":             nothing,
	"passive passive":            nothing,
	"w:p":                        nothing,
	"w:p ping":                   nothing,
	"w:m media_conn":             (*connection).giveMediaHosts,
	"w:g2 query":                 (*connection).describeGroup,
	"w:g2 participating":         (*connection).listGroups,
	"w:sync:app:state sync":      (*connection).giveAppState,
	"usync usync":                (*connection).giveDevices,
	"md remove-companion-device": (*connection).removeCompanion,
}

// answer answers a query. One that the server does not know gets an error at
// once: whatsmeow waits 75 seconds for an answer that does not come.
func (c *connection) answer(query *waBinary.Node) waBinary.Node {
	key, _ := query.Attrs["xmlns"].(string)
	if children := query.GetChildren(); len(children) > 0 {
		key += " " + children[0].Tag
	}
	from := query.Attrs["to"]
	if from == nil {
		from = types.ServerJID
	}
	answer := waBinary.Node{Tag: "iq", Attrs: waBinary.Attrs{"from": from, "type": "result", "id": query.Attrs["id"]}}
	code, known := 501, queries
	if c.pairing != nil {
		known = pairingQueries
	}
	if refusal := c.refusal(query); refusal != 0 {
		code = refusal
	} else if f := known[key]; f != nil {
		c.server.mu.Lock()
		var content []waBinary.Node
		if content, code = f(c, query); code == 0 && content != nil {
			answer.Content = content
		}
		c.server.mu.Unlock()
	}
	if code != 0 {
		text := map[int]string{400: "bad-request", 401: "not-authorized", 403: "forbidden", 404: "item-not-found", 429: "rate-overlimit", 501: "feature-not-implemented", 503: "service-unavailable"}[code]
		answer.Attrs["type"] = "error"
		answer.Content = []waBinary.Node{{Tag: "error", Attrs: waBinary.Attrs{"code": code, "text": text}}}
	}
	return answer
}

func nothing(*connection, *waBinary.Node) ([]waBinary.Node, int) { return nil, 0 }

func (c *connection) countPreKeys(*waBinary.Node) ([]waBinary.Node, int) {
	return []waBinary.Node{{Tag: "count", Attrs: waBinary.Attrs{"value": len(c.linked.oneTime)}}}, 0
}

func (c *connection) takePreKeys(query *waBinary.Node) ([]waBinary.Node, int) {
	if !c.linked.keepPreKeys(query) {
		return nil, 400
	}
	return nil, 0
}

// giveKeys gives out the keys of devices, with which to begin a session.
func (c *connection) giveKeys(query *waBinary.Node) ([]waBinary.Node, int) {
	wanted := query.GetChildByTag("key")
	var users []waBinary.Node
	for _, user := range wanted.GetChildren() {
		jid, _ := user.Attrs["jid"].(types.JID)
		answer := waBinary.Node{Tag: "user", Attrs: waBinary.Attrs{"jid": jid}}
		m := c.server.find(jid)
		if m == nil || (jid.Device != 0 && m.devices[jid.Device] == nil) {
			answer.Content = []waBinary.Node{{Tag: "error", Attrs: waBinary.Attrs{"code": 404, "text": "item-not-found"}}}
		} else {
			answer.Content = m.device(jid.Device).bundle()
		}
		users = append(users, answer)
	}
	return []waBinary.Node{{Tag: "list", Content: users}}, 0
}

// giveDevices lists the devices of users.
func (c *connection) giveDevices(query *waBinary.Node) ([]waBinary.Node, int) {
	wanted := query.GetChildByTag("usync", "list")
	var users []waBinary.Node
	for _, user := range wanted.GetChildren() {
		jid, _ := user.Attrs["jid"].(types.JID)
		m := c.server.find(jid)
		if m == nil {
			continue
		}
		devices := []waBinary.Node{{Tag: "device", Attrs: waBinary.Attrs{"id": 0}}}
		for number := range m.devices {
			if number != 0 {
				devices = append(devices, waBinary.Node{Tag: "device", Attrs: waBinary.Attrs{"id": int(number), "key-index": int(number)}})
			}
		}
		if m == c.linked.account {
			own := int(c.linked.device)
			devices = append(devices, waBinary.Node{Tag: "device", Attrs: waBinary.Attrs{"id": own, "key-index": own}})
		}
		users = append(users, waBinary.Node{Tag: "user", Attrs: waBinary.Attrs{"jid": jid}, Content: []waBinary.Node{{
			Tag: "devices", Content: []waBinary.Node{{Tag: "device-list", Content: devices}},
		}}})
	}
	return []waBinary.Node{{Tag: "usync", Content: []waBinary.Node{{Tag: "list", Content: users}}}}, 0
}

func (c *connection) giveMediaHosts(*waBinary.Node) ([]waBinary.Node, int) {
	hosts := []waBinary.Node{}
	for _, name := range c.server.mediaHosts {
		hosts = append(hosts, waBinary.Node{Tag: "host", Attrs: waBinary.Attrs{"hostname": name}})
	}
	return []waBinary.Node{{
		Tag:     "media_conn",
		Attrs:   waBinary.Attrs{"auth": "standin", "ttl": 3600, "auth_ttl": 3600, "max_buckets": 12},
		Content: hosts,
	}}, 0
}

// Busy makes the server give no answer to the next n questions about a group, but that it
// is busy.
func (s *Server) Busy(n int) {
	s.mu.Lock()
	s.busy = n
	s.mu.Unlock()
}

// describeGroup describes a group to whom is in it.
func (c *connection) describeGroup(query *waBinary.Node) ([]waBinary.Node, int) {
	if c.server.busy > 0 {
		c.server.busy--
		return nil, 503
	}
	for _, g := range c.server.groups {
		if g.jid == query.Attrs["to"] {
			if g.participant(c.linked.account) == nil {
				return nil, 403
			}
			return []waBinary.Node{g.node()}, 0
		}
	}
	return nil, 404
}

// listGroups describes all groups that the account is in.
func (c *connection) listGroups(*waBinary.Node) ([]waBinary.Node, int) {
	groups := []waBinary.Node{}
	for _, g := range c.linked.account.groups {
		groups = append(groups, g.node())
	}
	return []waBinary.Node{{Tag: "groups", Content: groups}}, 0
}

// removeCompanion is the companion unlinking itself.
func (c *connection) removeCompanion(*waBinary.Node) ([]waBinary.Node, int) {
	if c.server.companion == c.linked {
		c.server.companion = nil
		c.server.notify()
	}
	return nil, 0
}

// find returns who has the address, or nil.
func (s *Server) find(jid types.JID) *Member {
	for _, m := range s.members {
		if user := jid.ToNonAD(); user == m.jid || user == m.lid {
			return m
		}
	}
	return nil
}
