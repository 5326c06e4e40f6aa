package standin

import (
	"context"
	"strconv"

	"go.mau.fi/whatsmeow/appstate"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waServerSync"
	"go.mau.fi/whatsmeow/proto/waSyncAction"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	waLog "go.mau.fi/whatsmeow/util/log"
	"google.golang.org/protobuf/proto"
)

// The app state is what an account's devices know in common besides messages: names of
// contacts, and how chats are set up. It is a few collections, each a list of patches
// encrypted under a key that the server has not. What is done here with cryptography is
// whatsmeow's.

// appStateKeyID is the ID of the only key of an account's app state.
var appStateKeyID = []byte{0, 0, 0, 0, 0, 1}

// appState is an account's app state, as its phone has it.
type appState struct {
	*store.NoopStore // what appstate.Processor does not need
	key              []byte
	collections      map[string]*collection
}

type collection struct {
	state   appstate.HashState
	patches [][]byte
	macs    map[string][]byte // of values, by the MAC of their index
}

func newAppState() *appState {
	return &appState{NoopStore: &store.NoopStore{}, key: randomBytes(32), collections: make(map[string]*collection)}
}

func (a *appState) collection(name string) *collection {
	c := a.collections[name]
	if c == nil {
		c = &collection{macs: make(map[string][]byte)}
		a.collections[name] = c
	}
	return c
}

func (a *appState) GetAppStateSyncKey(context.Context, []byte) (*store.AppStateSyncKey, error) {
	return &store.AppStateSyncKey{Data: a.key}, nil
}

func (a *appState) GetAppStateMutationMAC(_ context.Context, name string, index []byte) ([]byte, error) {
	return a.collection(name).macs[string(index)], nil
}

func (a *appState) PutAppStateMutationMACs(_ context.Context, name string, _ uint64, macs []store.AppStateMutationMAC) error {
	for _, m := range macs {
		a.collection(name).macs[string(m.IndexMAC)] = m.ValueMAC
	}
	return nil
}

// Names makes the member's phone call another so, as its address book does.
func (m *Member) Names(other *Member, name string) {
	m.ChangesAppState(appstate.PatchInfo{Type: appstate.WAPatchCriticalUnblockLow, Mutations: []appstate.MutationInfo{{
		Index: []string{appstate.IndexContact, other.lid.String()}, Version: 2,
		Value: &waSyncAction.SyncActionValue{ContactAction: &waSyncAction.ContactAction{
			FullName: &name, FirstName: &name, SaveOnPrimaryAddressbook: proto.Bool(true),
		}},
	}}})
}

// ChangesAppState changes the app state of the member's account, and tells the companion, if
// it is the account's, that there is something to be read.
func (m *Member) ChangesAppState(change appstate.PatchInfo) {
	defer m.lock().Unlock()
	ctx, name := context.Background(), string(change.Type)
	c := m.state.collection(name)
	devices := appstate.NewProcessor(&store.Device{AppStateKeys: m.state, AppState: m.state}, waLog.Noop)
	var patch waServerSync.SyncdPatch
	if err := proto.Unmarshal(must(devices.EncodePatch(ctx, appStateKeyID, c.state, change)), &patch); err != nil {
		panic("standin: " + err.Error())
	}
	patch.Version = &waServerSync.SyncdVersion{Version: proto.Uint64(c.state.Version + 1)} // which the server gives
	list := &appstate.PatchList{Name: change.Type, Patches: []*waServerSync.SyncdPatch{&patch}}
	_, state, err := devices.DecodePatches(ctx, list, c.state, true)
	if err != nil {
		panic("standin: " + err.Error())
	}
	c.state, c.patches = state, append(c.patches, must(proto.Marshal(&patch)))
	if s := m.server; s.companion != nil && s.companion.account == m {
		s.enqueue(waBinary.Node{
			Tag:   "notification",
			Attrs: waBinary.Attrs{"from": types.ServerJID, "type": "server_sync", "id": s.nextNotice(), "t": s.options.Now().Unix()},
			Content: []waBinary.Node{{Tag: "collection", Attrs: waBinary.Attrs{
				"name": name, "version": c.state.Version,
			}}},
		})
	}
}

// giveAppState gives of every collection asked for what the companion has not got yet.
func (c *connection) giveAppState(query *waBinary.Node) ([]waBinary.Node, int) {
	asked := query.GetChildByTag("sync")
	var collections []waBinary.Node
	for _, collection := range asked.GetChildren() {
		name, _ := collection.Attrs["name"].(string)
		known, _ := collection.Attrs["version"].(string)
		from, _ := strconv.Atoi(known) // none: from the beginning
		answer := waBinary.Node{Tag: "collection", Attrs: waBinary.Attrs{"name": name, "version": 0, "type": "result"}}
		if state := c.linked.account.state.collections[name]; state != nil {
			answer.Attrs["version"] = state.state.Version
			var patches []waBinary.Node
			for _, patch := range state.patches[min(from, len(state.patches)):] {
				patches = append(patches, waBinary.Node{Tag: "patch", Content: patch})
			}
			answer.Content = []waBinary.Node{{Tag: "patches", Content: patches}}
		}
		collections = append(collections, answer)
	}
	return []waBinary.Node{{Tag: "sync", Content: collections}}, 0
}
