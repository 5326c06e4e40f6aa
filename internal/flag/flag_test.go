package flag

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/corpus"
)

var council = Reader{Domains: []string{"cranford-pc.gov.uk", "cranford.example"}}

// Numbers are those that are given out for drama and for trying things, and nobody's.
var readings = []struct {
	text string
	want []Kind
}{
	// National Insurance numbers.
	{"Her NI number is AB123456C.", []Kind{NINumber}},
	{"ab 12 34 56 c", []Kind{NINumber}},
	{"AB 123456 C", []Kind{NINumber}},
	{"AB-12-34-56-C", []Kind{NINumber}},
	{"AB\u00a012\u00a034\u00a056\u00a0C", []Kind{NINumber}},
	{"ＡＢ１２３４５６Ｃ", []Kind{NINumber}},
	{"NINO:jz998877d!", []Kind{NINumber}},
	{"A\u200bB12\u200d3456C", []Kind{NINumber}},
	{"WE 12 34 56 A", []Kind{NINumber}},
	{"QQ 12 34 56 C is how they look", nil},
	{"BG123456A", nil},
	{"AO123456C", nil},
	{"AB123456E", nil},
	{"AB12345C", nil},
	{"XAB123456C", nil},
	{"AB123456CD", nil},
	{"We met on 12 10 26 a little late.", nil},
	{"by 12-10-26 a reply is due", nil},
	{"part no AB 1234 C", nil},

	// NHS numbers.
	{"NHS no. 943 476 5919", []Kind{NHSNumber}},
	{"943-476-5919", []Kind{NHSNumber}},
	{"943–476–5919", []Kind{NHSNumber}},
	{"9434765919", []Kind{NHSNumber}},
	{"his nhs number is 0101010101 or so", nil},
	{"943 476 5918", nil},
	{"9434765918", nil},
	{"4444444444", nil},
	{"£9434765919", nil},
	{"12 943 476 5919 3", nil},
	{"order 19434765919", nil},

	// Bank accounts.
	{"Sort code 12-34-56, account 12345678", []Kind{Bank}},
	{"account 12345678 sort 123456", []Kind{Bank}},
	{"40-47-84 70872490", []Kind{Bank}},
	{"40 47 84 / 7087 2490", []Kind{Bank}},
	{"Please use sort code 01-04-26 acc 12345678", []Kind{Bank}},
	{"４０－４７－８４ ７０８７２４９０", []Kind{Bank}},
	{"12-11-26 is the date, 20261112 the file", nil},
	{"On 01-04-26 we paid invoice 12345678.", nil},
	{"Sort code 12-34-56", nil},
	{"ref 123456 and 12345678", nil},
	{"£40-47-84", nil},

	// Payment cards.
	{"4111 1111 1111 1111", []Kind{Card}},
	{"4111-1111-1111-1111 exp 03/29", []Kind{Card}},
	{"card 5555555555554444", []Kind{Card}},
	{"3782 822463 10005", []Kind{Card}},
	{"378282246310005", []Kind{Card}},
	{"6011 1111 1111 1117", []Kind{Card}},
	{"４１１１ １１１１ １１１１ １１１１", []Kind{Card}},
	{"4111\u202f1111\u202f1111\u202f1111 123", []Kind{Card}},
	{"4111 1111 1111 1112", nil},
	{"4111111111111112", nil},
	{"0000 0000 0000 0000", nil},
	{"ISBN 9780141036144", nil},
	{"5000112637922", nil},              // a barcode
	{"12345678901234567890", nil},       // too long
	{"4111 1111 1111 1111x", nil},       // goes on
	{"1200034567890", nil},              // a meter
	{"@100000000000105 thanks", nil},    // a mention
	{"@447700900123 will you?", nil},    // likewise
	{"2011 2012 2013 2014 2015", nil},   // years
	{"45 46 47 48 49 50 51 52 53", nil}, // a list

	// Dates of birth.
	{"DOB 03/03/1961", []Kind{Birth}},
	{"d.o.b. 3.3.61", []Kind{Birth}},
	{"D O B: 3-3-61", []Kind{Birth}},
	{"born on 3rd March 1961", []Kind{Birth}},
	{"He was born 3 Mar 61", []Kind{Birth}},
	{"date of birth is the 3rd of March, 1961", []Kind{Birth}},
	{"March 3rd, 1961 (date of birth)", []Kind{Birth}},
	{"birth date 1961-03-03", []Kind{Birth}},
	{"DoB ０３／０３／１９６１", []Kind{Birth}},
	{"born in 1961", nil},
	{"newborn lambs from 3 March 2026", nil},
	{"We meet on 24/11/2026.", nil},
	{"the birth of an idea, 3 March 2026", nil},
	{"Born to run, 7 pm", nil},
	{"dob 99/99/1961", nil},

	// Telephone numbers.
	{"Call me on 07700 900123", []Kind{Phone}},
	{"07700900123", []Kind{Phone}},
	{"07700-900-123", []Kind{Phone}},
	{"0770 090 0123", []Kind{Phone}},
	{"+44 7700 900123", []Kind{Phone}},
	{"+447700900123", []Kind{Phone}},
	{"+44 (0)7700 900123 after six", []Kind{Phone}},
	{"0044 7700 900 123", []Kind{Phone}},
	{"447700900123", []Kind{Phone}},
	{"(01632) 960123", []Kind{Phone}},
	{"no 01632 960 123", []Kind{Phone}},
	{"020 7946 0958", []Kind{Phone}},
	{"０７７００ ９００１２３", []Kind{Phone}},
	{"07700\u00a0900\u00a0123", []Kind{Phone}},
	{"07700‑900‑123", []Kind{Phone}},
	{"+353 86 123 4567", []Kind{Phone}},
	{"https://wa.me/447700900123", []Kind{Phone}},
	{"٠٧٧٠٠ ٩٠٠١٢٣", []Kind{Phone}},
	{"0300 123 1234", nil},
	{"0800 1111", nil},
	{"0345 6789 012", nil},
	{"07700 90012", nil},
	{"07700 9001234", nil},
	{"26/01234567890", nil},
	{"26/07700900123/FUL", nil},
	{"https://planning.example/?id=07700900123", nil},
	{"+1 from me", nil},
	{"SP 01234 56789", nil},
	{"01 02 2026 12345", nil},
	{"01.02.2026", nil},

	// Email addresses.
	{"write to jo.marsh@mail.example", []Kind{Email}},
	{"JO.MARSH@MAIL.EXAMPLE", []Kind{Email}},
	{"<jo_marsh+parish@mail.co.example>", []Kind{Email}},
	{"jo＠mail．example", []Kind{Email}},
	{"“jo@mail.example”", []Kind{Email}},
	{"clerk@cranford-pc.gov.uk and jo@mail.example", []Kind{Email}},
	{"jo@notcranford.example", []Kind{Email}},
	{"clerk@cranford-pc.gov.uk", nil},
	{"“Clerk@Cranford.example”", nil},
	{"allotments@office.cranford.example.", nil},
	{"planning@county.gov.uk", nil},
	{"pc1234@county.police.uk", nil},
	{"@jo thanks", nil},
	{"3 tents @ 40.50 each", nil},
	{"jo@home", nil},
	{"4@2.50", nil},

	// Addresses.
	{"12 Mill Lane, Cranford, TW5 9AB", []Kind{Home}},
	{"12a Mill Lane\nCranford\nTW5 9AB", []Kind{Home}},
	{"He lives at 4 St Mary's Court, sw1a 1aa", []Kind{Home}},
	{"Rose Cottage, Mill Lane, TW59AB", []Kind{Home}},
	{"Flat 3, Mill Court, EC1V 9HQ", []Kind{Home}},
	{"TW5 9AB, number 12", []Kind{Home}},
	{"１２ Mill Lane ＴＷ５ ９ＡＢ", []Kind{Home}},
	{"The hall is at TW5 9AB.", nil},
	{"Village Hall, Mill Lane, TW5 9AB", nil},
	{"7 pm, Village Hall, Mill Lane, TW5 9AB", nil},
	{"7.30, Mill Lane, TW5 9AB", nil},
	{"24 November, Mill Lane, TW5 9AB", nil},
	{"12 Mill Lane", nil},
	{"12 people in Mill Lane, TW5 9AB", nil},
	{"Parish House, TW5 9AB", nil},

	// Words.
	{"This is CONFIDENTIAL.", []Kind{Confidence}},
	{"*confidential*", []Kind{Confidence}},
	{"Told in strict confidence", []Kind{Confidence}},
	{"an exempt item", []Kind{Confidence}},
	{"for the private\u00a0session", []Kind{Confidence}},
	{"ｃｏｎｆｉｄｅｎｔｉａｌ", []Kind{Confidence}},
	{"don’t share this", []Kind{Confidence}},
	{"a safeguarding matter", []Kind{Welfare}},
	{"The social worker rang.", []Kind{Welfare}},
	{"She was diagnosed on Monday.", []Kind{Health}},
	{"his Alzheimer’s", []Kind{Health}},
	{"off-sick", []Kind{Health}},
	{"It is exempt from VAT.", nil},
	{"VAT exempt", nil},
	{"I am confident.", nil},
	{"The library has private rooms, session two is full.", nil},
	{"dog grooming", nil},
	{"a stroke of luck", nil},
	{"The ground is healthy.", nil},
	{"confidentials", nil},

	// What may need a meeting.
	{"Agreed then, order it.", []Kind{Agreement, Order}},
	{"All in favour?", []Kind{Agreement}},
	{"I approve.", []Kind{Agreement}},
	{"Go ahead and order the bench", []Kind{Order}},
	{"go ahead with the quote", []Kind{Order}},
	{"5 for, 2 against", []Kind{Votes}},
	{"five for and two against", []Kind{Votes}},
	{"5️⃣ for 2️⃣ against", []Kind{Votes}},
	{"4 in favour", []Kind{Votes}},
	{"We voted 5–2.", []Kind{Votes}},
	{"carried 5 to 2", []Kind{Votes}},
	{"that makes 6 votes", []Kind{Votes}},
	{"For: 5. Against: 2.", []Kind{Votes}},
	{"The fête will go ahead.", nil},
	{"in order to mend it", nil},
	{"I disagreed with the referee.", nil},
	{"I do not agree.", nil},
	{"The motion sensor is broken.", nil},
	{"open for 2 hours", nil},
	{"£5 for 2 teas", nil},
	{"The approval process is slow.", nil},
	{"disapproved", nil},
	{"We lost 3 footballs.", nil},
	{"Cranford lost 5-2 on Saturday.", []Kind{Votes}}, // a false alarm, and known to be one

	// Ordinary life.
	{"", nil},
	{"Good morning. The notice board is mended.", nil},
	{"The litter pick is on Saturday 28 November 2026 at 10.30 am; meet at 28/11/2026 10:30.", nil},
	{"2026-11-28T10:30:00Z", nil},
	{"Quotes: £1,234,567.89, £12.50 and 4,111,111,111,111,111 in all.", nil},
	{"26/01234/FUL and 26/05678/HOU, see PL/2026/123456", nil},
	{"The bench is at TQ 1030 7720, or TQ 10300 77200, 51.4816, -0.4120", nil},
	{"what3words and W3W: ///filled.count.soap", nil},
	{"Invoice INV-20261128-0012 of 1234567 pence", nil},
	{"Road closed from 01/12 to 05/12, order TTRO/1234567.", nil},
	{"Bus 111 at 0730, 0750, 0810, 0830, 0850, 0910, 0930", nil},
	{"Highways log 10012345 of 24-11-26", nil},
	{"Registration AB12 CDE", nil},
	{"B4521 is shut; A4 and M4 are open", nil},
	{"https://www.gov.uk/guidance/4111111111111111?sort=40-47-84&account=70872490", nil},
	{"www.cranford.example/confidential", nil},
	{"8 of us for 7 pm", nil},

	{"AB123456C, born 3/3/61, agreed", []Kind{NINumber, Birth, Agreement}},
}

func TestFind(t *testing.T) {
	for _, tt := range readings {
		if diff := cmp.Diff(tt.want, council.Find(tt.text)); diff != "" {
			t.Errorf("%q:\n%s", tt.text, diff)
		}
	}
}

// What surrounds a thing, and in which case it is written, makes no difference.
func TestFindAnywhere(t *testing.T) {
	for _, tt := range readings {
		for _, around := range []string{"%s", "Morning all.\n%s\nThanks!", "Hello… %s 🙂", "«%s»"} {
			s := fmt.Sprintf(around, tt.text)
			if got := council.Find(s); !slices.Equal(got, tt.want) {
				t.Errorf("%q: %v, not %v", s, got, tt.want)
			}
		}
	}
}

func (k Kind) GoString() string { return k.String() }

func TestEveryKindHasAPhrase(t *testing.T) {
	met := make(map[string]bool)
	for k := range kinds {
		if s := k.String(); s == "" || met[s] {
			t.Errorf("kind %d: %q", k, s)
		}
		met[k.String()] = true
	}
	for k := range kinds { // and each is found somewhere above, but polls, which are no words
		if k != Poll && !slices.ContainsFunc(readings, func(r struct {
			text string
			want []Kind
		}) bool {
			return slices.Contains(r.want, k)
		}) {
			t.Errorf("nothing shows that %v is found", k)
		}
	}
}

// The made-up council talks about dates, times, money, places and references all day, and
// its clerk is not to be told of each.
func TestAnOrdinaryCouncil(t *testing.T) {
	const messages = 5000
	of := make(map[Kind]int)
	flagged := 0
	for m := range corpus.Chat(1, corpus.Options{Count: messages}) {
		found := council.Find(m.Text)
		for _, k := range found {
			of[k]++
		}
		if len(found) > 0 {
			flagged++
		}
	}
	for _, k := range []Kind{NINumber, NHSNumber, Bank, Card, Birth, Home} {
		if of[k] > 0 {
			t.Errorf("%v was found %d times", k, of[k])
		}
	}
	if of[Phone] == 0 || of[Agreement] == 0 {
		t.Error("nothing was found that is there")
	}
	if flagged > messages/20 {
		t.Errorf("%d of %d messages are flagged: %v", flagged, messages, of)
	}
}

// A member may write 65 kB, and as he likes.
func TestFindTakesNoLonger(t *testing.T) {
	for _, unit := range []string{"0", "a", " ", "4111 ", "12-", "born ", "tw5 9ab ", "ab12", "@", "a@", "a.", "+44 ", "(0) ", "d.o.b. ", "agreed ", "\u0301", "é", "１", "\xff",
		"12 mill lane ", "http://", "for 1 against ", "943 476 ", "00 ", "in strict "} {
		s := strings.Repeat(unit, 65_536/len(unit))
		start := time.Now()
		council.Find(s)
		if took := time.Since(start); took > 20*time.Second { // milliseconds; hours if it grew with the cube
			t.Errorf("%q again and again: %v", unit, took)
		}
	}
}

func FuzzFind(f *testing.F) {
	for _, tt := range readings {
		f.Add(tt.text)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := council.Find(s)
		if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Errorf("%q: %v", s, got)
		}
		p := read(s)
		end := 0
		for _, p := range p.pieces {
			if p.start < end || p.start >= p.end {
				t.Fatalf("%q: piece from %d to %d after %d", s, p.start, p.end, end)
			}
			end = p.end
		}
		// More text takes nothing away.
		if more := council.Find(s + "\n\nIt is raining."); !subset(got, more) {
			t.Errorf("%q: %v, and with more after it %v", s, got, more)
		}
	})
}

func subset(a, b []Kind) bool {
	return !slices.ContainsFunc(a, func(k Kind) bool { return !slices.Contains(b, k) })
}

func BenchmarkFind(b *testing.B) {
	var all strings.Builder
	for _, tt := range readings {
		all.WriteString(tt.text + "\nThe litter pick is on Saturday at ten, by the village hall. Bring gloves, and a friend if you have one.\n")
	}
	s := all.String()
	b.SetBytes(int64(len(s)))
	b.ReportAllocs()
	for b.Loop() {
		council.Find(s)
	}
}
