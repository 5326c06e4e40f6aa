package content

import (
	"encoding/json"

	"go.mau.fi/whatsmeow/proto/waE2E"

	"muniment/internal/record"
)

// menu reads what businesses and bots send: words, and what can be chosen.
func (r *reading) menu(p part) bool {
	var m menu
	switch v := p.value.(type) {
	case *waE2E.ListMessage:
		m.list(v)
	case *waE2E.ButtonsMessage:
		m.buttons(v)
	case *waE2E.TemplateMessage:
		m.template(v)
	case *waE2E.HighlyStructuredMessage:
		m.structured(v)
	case *waE2E.InteractiveMessage:
		m.interactive(v)
	}
	for _, a := range m.files {
		r.brings(a, p)
	}
	if m.place != nil {
		m.say(r.place(m.place)...)
	}
	m.offers = m.offers[:min(len(m.offers), maxItems)]
	r.details.Offers = m.offers
	return r.says(record.Menu, append(m.words, m.offers...)...)
}

// A menu is what is gathered from the many forms that WhatsApp has for one.
type menu struct {
	words  []string
	offers []string
	files  []attachment
	place  *waE2E.LocationMessage
}

func (m *menu) say(words ...string) { m.words = append(m.words, words...) }

// offer adds something to choose, if it has a name.
func (m *menu) offer(name string) {
	if name = OneLine(name); name != "" {
		m.offers = append(m.offers, name)
	}
}

// header adds a file or a place that stands above the words, of those that there are.
func (m *menu) header(image *waE2E.ImageMessage, video *waE2E.VideoMessage, document *waE2E.DocumentMessage, place *waE2E.LocationMessage) {
	if image != nil {
		m.files = append(m.files, image)
		m.say(image.GetCaption())
	}
	if video != nil {
		m.files = append(m.files, video)
		m.say(video.GetCaption())
	}
	if document != nil {
		m.files = append(m.files, document)
		m.say(document.GetCaption())
	}
	if m.place == nil {
		m.place = place
	}
}

func (m *menu) list(v *waE2E.ListMessage) {
	m.say(v.GetTitle(), v.GetDescription(), v.GetFooterText(), v.GetButtonText())
	for _, section := range v.GetSections() {
		m.say(section.GetTitle())
		for _, row := range section.GetRows() {
			m.offer(row.GetTitle())
			m.say(row.GetDescription())
		}
	}
	for _, section := range v.GetProductListInfo().GetProductSections() {
		m.say(section.GetTitle())
	}
}

func (m *menu) buttons(v *waE2E.ButtonsMessage) {
	m.say(v.GetText(), v.GetContentText(), v.GetFooterText())
	m.header(v.GetImageMessage(), v.GetVideoMessage(), v.GetDocumentMessage(), v.GetLocationMessage())
	for _, b := range v.GetButtons() {
		m.offer(b.GetButtonText().GetDisplayText())
		m.offer(flowName(b.GetNativeFlowInfo().GetParamsJSON()))
	}
}

func (m *menu) template(v *waE2E.TemplateMessage) {
	hydrated := v.GetHydratedTemplate()
	if hydrated == nil { // some apps send it twice
		hydrated = v.GetHydratedFourRowTemplate()
	}
	m.hydrated(hydrated)
	if rows := v.GetFourRowTemplate(); rows != nil {
		m.header(rows.GetImageMessage(), rows.GetVideoMessage(), rows.GetDocumentMessage(), rows.GetLocationMessage())
		m.structured(rows.GetHighlyStructuredMessage())
		m.structured(rows.GetContent())
		m.structured(rows.GetFooter())
		for _, b := range rows.GetButtons() {
			m.offer(structuredWords(b.GetQuickReplyButton().GetDisplayText()))
			m.offer(structuredWords(b.GetUrlButton().GetDisplayText()))
			m.offer(structuredWords(b.GetCallButton().GetDisplayText()))
		}
	}
	m.interactive(v.GetInteractiveMessageTemplate())
}

func (m *menu) hydrated(v *waE2E.TemplateMessage_HydratedFourRowTemplate) {
	m.say(v.GetHydratedTitleText(), v.GetHydratedContentText(), v.GetHydratedFooterText())
	m.header(v.GetImageMessage(), v.GetVideoMessage(), v.GetDocumentMessage(), v.GetLocationMessage())
	for _, b := range v.GetHydratedButtons() {
		m.offer(b.GetQuickReplyButton().GetDisplayText())
		m.offer(b.GetUrlButton().GetDisplayText())
		m.offer(b.GetCallButton().GetDisplayText())
	}
}

// structured adds a message of which the words are in a catalogue that only apps have;
// what is filled into them is here.
func (m *menu) structured(v *waE2E.HighlyStructuredMessage) {
	if v == nil {
		return
	}
	if v.GetHydratedHsm() != nil {
		m.template(v.GetHydratedHsm())
		return
	}
	m.say(structuredWords(v))
}

func structuredWords(v *waE2E.HighlyStructuredMessage) string {
	words := v.GetParams()
	for _, p := range v.GetLocalizableParams() {
		words = append(words, p.GetDefault())
	}
	return lines(words...)
}

func (m *menu) interactive(v *waE2E.InteractiveMessage) {
	header := v.GetHeader()
	m.say(header.GetTitle(), header.GetSubtitle(), v.GetBody().GetText(), v.GetFooter().GetText())
	m.header(header.GetImageMessage(), header.GetVideoMessage(), header.GetDocumentMessage(), header.GetLocationMessage())
	if product := header.GetProductMessage(); product != nil {
		m.say(productWords(product)...)
	}
	if sound := v.GetFooter().GetAudioMessage(); sound != nil {
		m.files = append(m.files, sound)
	}
	for _, b := range v.GetNativeFlowMessage().GetButtons() {
		m.offer(flowName(b.GetButtonParamsJSON()))
	}
	for _, card := range v.GetCarouselMessage().GetCards() {
		m.interactive(card)
	}
}

// flowName returns what stands on a button, of which WhatsApp writes the rest in JSON.
func flowName(params string) string {
	var button struct {
		DisplayText string `json:"display_text"`
	}
	if json.Unmarshal([]byte(params), &button) != nil {
		return ""
	}
	return button.DisplayText
}

// choice reads what somebody chose.
func (r *reading) choice(value any) bool {
	var chosen, more string
	switch m := value.(type) {
	case *waE2E.ListResponseMessage:
		chosen, more = m.GetTitle(), m.GetDescription()
	case *waE2E.ButtonsResponseMessage:
		chosen = m.GetSelectedDisplayText()
	case *waE2E.TemplateButtonReplyMessage:
		chosen = m.GetSelectedDisplayText()
	case *waE2E.InteractiveResponseMessage:
		chosen = m.GetBody().GetText()
	}
	if chosen = OneLine(chosen); chosen != "" {
		r.details.Chosen = []string{chosen}
	}
	return r.says(record.Choice, chosen, more)
}
