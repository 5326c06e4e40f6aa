package content

import (
	"math/big"
	"strings"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"

	"muniment/internal/record"
)

// payment reads what is about paying. WhatsApp does not tell linked devices whether
// money moved.
func (r *reading) payment(value any) bool {
	var words string
	switch m := value.(type) {
	case *waE2E.SendPaymentMessage:
		r.details.Called = "payment"
		words = r.note(m.GetNoteMessage())
		r.answers(m.GetRequestMessageKey())
	case *waE2E.RequestPaymentMessage:
		r.details.Called = "request"
		words = r.note(m.GetNoteMessage())
		if r.details.Amount = money(m.GetAmount()); r.details.Amount == "" && m.Amount1000 != nil {
			r.details.Amount = amount(new(big.Int).SetUint64(m.GetAmount1000()), 1000, m.GetCurrencyCodeIso4217())
		}
	case *waE2E.DeclinePaymentRequestMessage:
		r.details.Called = "request declined"
		r.answers(m.GetKey())
	case *waE2E.CancelPaymentRequestMessage:
		r.details.Called = "request cancelled"
		r.answers(m.GetKey())
	case *waE2E.PaymentInviteMessage:
		r.details.Called = "invitation"
		r.details.Until = moment(m.GetExpiryTimestamp())
	case *waE2E.PaymentReminderMessage:
		r.details.Called = "reminder"
		words, r.details.Amount = m.GetDescription(), money(m.GetAmount())
	case *waE2E.SplitPaymentMessage:
		r.details.Called = "shared costs"
		words, r.details.Amount = m.GetDescription(), money(m.GetTotalAmount())
	case *waE2E.SplitPaymentUpdateMessage:
		r.details.Called = "shared costs"
	case *waE2E.InvoiceMessage:
		r.details.Called = "invoice"
		words = m.GetNote()
		r.File = invoiceFile(m)
	}
	return r.says(record.Payment, words)
}

// note reads the words that go with a payment, and whom they mention.
func (r *reading) note(m *waE2E.Message) string {
	said := r.within(m)
	r.Mentions = said.Mentions
	return said.Text
}

// answers notes the message that key names, if it names one.
func (r *reading) answers(key *waCommon.MessageKey) {
	if target, ok := r.target(key); ok {
		r.Target = &target
	}
}

func invoiceFile(m *waE2E.InvoiceMessage) *record.File {
	if m.GetAttachmentDirectPath() == "" {
		return nil
	}
	f := &record.File{
		Type:   record.Image,
		MIME:   OneLine(m.GetAttachmentMimetype()),
		Path:   Valid(m.GetAttachmentDirectPath()),
		Key:    m.GetAttachmentMediaKey(),
		Digest: m.GetAttachmentFileSHA256(),
		Sealed: m.GetAttachmentFileEncSHA256(),
	}
	if m.GetAttachmentType() == waE2E.InvoiceMessage_PDF {
		f.Type = record.Document
	}
	return f
}

func (r *reading) order(p part) bool {
	switch m := p.value.(type) {
	case *waE2E.OrderMessage:
		if m.Status != nil {
			r.details.Called = strings.ToLower(m.GetStatus().String())
		}
		if m.TotalAmount1000 != nil {
			r.details.Amount = amount(big.NewInt(m.GetTotalAmount1000()), 1000, m.GetTotalCurrencyCode())
		}
		return r.says(record.Order, OneLine(m.GetOrderTitle()), m.GetMessage())
	case *waE2E.ProductMessage:
		product := m.GetProduct()
		if product.GetPriceAmount1000() != 0 {
			r.details.Amount = amount(big.NewInt(product.GetPriceAmount1000()), 1000, product.GetCurrencyCode())
		}
		if url := OneLine(product.GetURL()); url != "" {
			r.details.Link = &record.Link{URL: url}
		}
		for _, image := range []*waE2E.ImageMessage{product.GetProductImage(), m.GetCatalog().GetCatalogImage()} {
			if image != nil {
				r.brings(image, p)
			}
		}
		return r.says(record.Order, productWords(m)...)
	}
	return false
}

func productWords(m *waE2E.ProductMessage) []string {
	return []string{
		OneLine(m.GetProduct().GetTitle()), m.GetProduct().GetDescription(),
		OneLine(m.GetCatalog().GetTitle()), m.GetCatalog().GetDescription(), m.GetBody(), m.GetFooter(),
	}
}

func money(m *waE2E.Money) string {
	if m.GetCurrencyCode() == "" {
		return ""
	}
	return amount(big.NewInt(m.GetValue()), int64(max(1, m.GetOffset())), m.GetCurrencyCode())
}

// amount writes "12.50 GBP"; so many parts make one.
func amount(count *big.Int, parts int64, currency string) string {
	sum := new(big.Rat).SetFrac(count, big.NewInt(parts))
	digits := 2
	if !new(big.Rat).Mul(sum, big.NewRat(100, 1)).IsInt() {
		digits = 3
	}
	return strings.TrimSpace(sum.FloatString(digits) + " " + OneLine(currency))
}
