package letter

import (
	"strings"

	"muniment/internal/record"
)

// unreadable names, in plain words, what a letter cannot show, by WhatsApp's
// name for it as [spelling] writes it.
var unreadable = map[string]string{
	"image":                 "A photo",
	"video":                 "A video",
	"ptv":                   "A video message",
	"audio":                 "A voice message or other sound",
	"document":              "A document",
	"documentwithcaption":   "A document",
	"sticker":               "A sticker",
	"lottiesticker":         "A sticker",
	"stickerpack":           "A set of stickers",
	"album":                 "A set of photos or videos",
	"viewonce":              "A photo, video or voice message that could be viewed only once",
	"viewoncev2extension":   "A photo, video or voice message that could be viewed only once",
	"location":              "A place on a map",
	"livelocation":          "A place on a map that followed the sender",
	"contact":               "A contact card",
	"contactsarray":         "Several contact cards",
	"pollcreation":          "A poll",
	"pollupdate":            "A vote in a poll",
	"pollresultsnapshot":    "The result of a poll",
	"event":                 "An event",
	"encevent":              "An answer to an event",
	"comment":               "A comment on another message",
	"enccomment":            "A comment on another message",
	"pininchat":             "A message was pinned or unpinned in the group",
	"keepinchat":            "A disappearing message was kept in the chat",
	"groupinvite":           "An invitation to a group",
	"call":                  "A call",
	"bcall":                 "A call",
	"scheduledcallcreation": "A call planned for later",
	"scheduledcalledit":     "A change to a planned call",

	"edited": "An earlier message was changed by its sender",
	"edit":   "An earlier message was changed by its sender",
	"revoke": "An earlier message was deleted in WhatsApp",

	"ephemeralsetting":        "The setting for disappearing messages was changed",
	"groupsubject":            "The group’s name was changed",
	"groupdescription":        "The group’s description was changed",
	"grouppicture":            "The group’s picture was changed",
	"groupephemeral":          "The setting for disappearing messages was changed",
	"grouplocked":             "Who may change the group’s settings was changed",
	"groupannounce":           "Who may write in the group was changed",
	"groupmembershipapproval": "How people are let into the group was changed",
	"groupinvitelink":         "The group’s invitation link was changed",
	"grouppromote":            "Somebody was made an administrator of the group",
	"groupdemote":             "Somebody is no longer an administrator of the group",
	"grouplinked":             "The group was joined to another",
	"groupunlinked":           "The group was parted from another",
	"groupdeleted":            "The group was closed",
	"groupsuspended":          "WhatsApp suspended the group",
	"groupunsuspended":        "WhatsApp ended the group’s suspension",
	"groupchange":             "The group was changed",
}

// notShown says that there is something of this kind which the letter does not
// show. It does not say that a file is kept: that is more than is known here.
func notShown(kind record.Kind, t record.Type) string {
	what := nounFor(kind, t)
	return "[" + what + " — on record, not shown here]"
}

func nounFor(kind record.Kind, t record.Type) string {
	if kind == record.Participants {
		return "A change of who is in the group"
	}
	first, _, _ := strings.Cut(string(t), "+") // several kinds of content in one message
	s := spelling(first)
	if what, ok := unreadable[s]; ok {
		return what
	}
	if strings.HasPrefix(s, "group") {
		return unreadable["groupchange"]
	}
	return "Something that this program cannot read yet"
}

// spelling makes WhatsApp's ways of writing a name one: imageMessage, message_edit
// and pollCreationMessageV3 become image, edit and pollcreation.
func spelling(name string) string {
	name = strings.ToLower(strings.TrimRight(name, "0123456789"))
	name = strings.TrimSuffix(name, "v")
	name = strings.ReplaceAll(name, "_", "")
	for _, s := range []string{"message", "response"} {
		name = strings.ReplaceAll(name, s, "")
	}
	return name
}
