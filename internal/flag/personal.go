package flag

import (
	"slices"
	"strconv"
	"strings"
)

// nino reports whether a National Insurance number begins with the word i: AB 12 34 56 C.
// QQ, with which HMRC's own examples begin, is no prefix.
func (t *text) nino(i int) bool {
	prefix := t.word(i)
	if len(prefix) != 2 || strings.ContainsAny(prefix, "dfiquv") || prefix[1] == 'o' || slices.Contains(noPrefix, prefix) ||
		prefix[0] > 'z' || t.touches(i) || t.lead(i) == '/' {
		return false
	}
	n, j := 0, i+1
	for ; n < 6 && t.digits(j) != "" && t.joined(j, " -."); j++ {
		n += len(t.digits(j))
	}
	suffix := t.word(j)
	if n != 6 || len(suffix) != 1 || suffix > "d" || !t.joined(j, " -.") || t.touches(j+1) {
		return false
	}
	// "We met on 12 10 26 a little late."
	ordinary := twoLetters[prefix] && !t.touches(i+1) && !t.touches(j)
	return !ordinary || t.pieces[i].capitals && t.pieces[j].capitals
}

// noPrefix are letters that no number begins with, though each may stand in its place.
var noPrefix = []string{"bg", "gb", "kn", "nk", "nt", "tn", "zz"}

var twoLetters = set("am", "an", "as", "at", "be", "by", "he", "my", "me", "we", "on", "or", "so", "to", "no", "ah", "oh", "ok", "pm", "st", "rm", "ps")

// nhs reports whether an NHS number begins with the number i: ten digits of which the
// last checks the others, in one or as 943 476 5919.
func (t *text) nhs(i int) bool {
	if t.stuck(i) {
		return false
	}
	d, last := t.digits(i), i
	if len(d) == 3 {
		by := t.gap(i + 1)
		if by != " " && by != "-" || t.gap(i) == by && t.digits(i-1) != "" || t.digits(i+1) == "" || t.digits(i+2) == "" ||
			len(t.digits(i+1)) != 3 || len(t.digits(i+2)) != 4 || t.gap(i+2) != by {
			return false
		}
		d, last = d+t.digits(i+1)+t.digits(i+2), i+2
	}
	if len(d) != 10 || t.touches(last+1) || t.more(last) || strings.Trim(d, d[:1]) == "" {
		return false
	}
	// Numbers of England and Wales begin so; others are told from what is no such number
	// by the word.
	if d[0] < '4' && !t.near(i, 8, nhsWords) {
		return false
	}
	sum := 0
	for n := range 9 {
		sum += int(d[n]-'0') * (10 - n)
	}
	return (11-sum%11)%11 == int(d[9]-'0')
}

var nhsWords = set("nhs", "chi", "patient")

// stuck reports whether the number i is part of something longer, or an amount, or names
// somebody who is mentioned.
func (t *text) stuck(i int) bool {
	c := t.lead(i)
	return t.touches(i) || t.money(i) || strings.IndexByte("/@#_=&", c) >= 0 && c != 0 ||
		(c == '.' || c == ',' || c == ':') && i > 0 && t.pieces[i-1].number && len(t.gap(i)) == 1
}

// more reports whether the number i goes on behind a point or a slash.
func (t *text) more(i int) bool {
	if i+1 >= len(t.pieces) || !t.pieces[i+1].number {
		return false
	}
	gap := t.gap(i + 1)
	return len(gap) == 1 && strings.Contains("./:", gap)
}

// card reports whether the number of a payment card begins with the number i: 13 to 19
// digits that check, in one or in groups as on cards, of a kind that is issued.
func (t *text) card(i int) bool {
	if t.stuck(i) || t.lead(i) == '+' {
		return false
	}
	d := t.digits(i)
	last := i
	if len(d) == 4 {
		// 4-4-4-4 with up to three more, 4-6-5 and 4-6-4.
		by := t.gap(i + 1)
		if by != " " && by != "-" && by != "." {
			return false
		}
		for len(d) < 19 && last-i < 4 && t.digits(last+1) != "" && t.gap(last+1) == by {
			n := len(t.digits(last + 1))
			if len(d)+n > 19 || last == i && n != 4 && n != 6 {
				break
			}
			last++
			d += t.digits(last)
			if valid(d) && !t.touches(last+1) {
				return true
			}
			if n != 4 && !(n == 6 && last == i+1) {
				break
			}
		}
		return false
	}
	return len(d) <= 19 && valid(d) && !t.touches(last+1) && !t.more(last)
}

// valid reports whether d is the number of a card by its length, its first digits and
// Luhn's sum.
func valid(d string) bool {
	if len(d) < 13 || len(d) > 19 || strings.Trim(d, d[:1]) == "" {
		return false
	}
	switch first, _ := strconv.Atoi(d[:2]); {
	case first >= 40 && first < 50:
	case first == 34 || first == 37:
		if len(d) != 15 {
			return false
		}
	case first == 30 || first == 36 || first == 38 || first == 39:
		if len(d) < 14 {
			return false
		}
	case first >= 22 && first <= 27, first == 35, first >= 50 && first <= 58, first >= 60 && first < 70:
		if len(d) < 16 {
			return false
		}
	default:
		return false
	}
	sum := 0
	for n := range len(d) {
		v := int(d[len(d)-1-n] - '0')
		if n%2 == 1 {
			v *= 2
			v = v/10 + v%10
		}
		sum += v
	}
	return sum%10 == 0
}

// phone reports whether a telephone number that may be somebody's own begins with the
// number i: a mobile or a line of a place in the United Kingdom, or one with a plus. Not
// those of businesses, 03, 08 and 09.
func (t *text) phone(i int) bool {
	first := t.digits(i)
	plus := t.lead(i) == '+'
	link := t.lead(i) == '/' && t.word(i-1) == "me" && t.word(i-2) == "wa"
	if !link && t.stuck(i) || t.touches(i) || first == "" || len(first) > 15 {
		return false
	}
	abroad := plus || link || strings.HasPrefix(first, "0044") || strings.HasPrefix(first, "447") && len(first) == 12
	if !abroad && (first[0] != '0' || len(first) < 3 || strings.IndexByte("127", first[1]) < 0) {
		return false
	}
	var d []byte
	for j := i; j < i+7 && t.digits(j) != ""; j++ {
		n := t.digits(j)
		switch {
		case j == i:
		case abroad && n == "0" && t.lead(j) == '(': // +44 (0)7700 900123
			continue
		case !t.joinsPhone(j):
			return abroad && isAbroad(d)
		}
		d = append(d, n...)
		if len(d) > 15 {
			return false
		}
		switch {
		case t.touches(j + 1):
			return false
		case !abroad && len(d) >= 11:
			return len(d) == 11 && !t.more(j)
		case abroad && isOwn(d):
			return true
		}
	}
	return abroad && isAbroad(d)
}

// joinsPhone reports whether the number j can go on a telephone number.
func (t *text) joinsPhone(j int) bool {
	return !t.touches(j) && (t.joined(j, " -.()") || t.gap(j) == " - ")
}

// isAbroad reports whether d is a number with the code of its country; of this country,
// one that may be somebody's own.
func isAbroad(d []byte) bool {
	s := strings.TrimPrefix(string(d), "00")
	return isOwn(d) || !strings.HasPrefix(s, "44") && len(s) >= 10
}

// isOwn reports whether d is a number of this country, with its code, that may be
// somebody's own.
func isOwn(d []byte) bool {
	s, is := strings.CutPrefix(strings.TrimPrefix(string(d), "00"), "44")
	s = strings.TrimPrefix(s, "0")
	return is && len(s) == 10 && strings.IndexByte("127", s[0]) >= 0
}

// bank reports whether a sort code begins with the number i that stands near the number
// of an account. What may be a date, or is any six digits, takes a word that speaks of banks.
func (t *text) bank(i int) bool {
	if t.stuck(i) {
		return false
	}
	last, doubtful := i, true
	switch d := t.digits(i); {
	case len(d) == 6:
	case len(d) == 2 && len(t.digits(i+1)) == 2 && len(t.digits(i+2)) == 2:
		by := t.gap(i + 1)
		if by != "-" && by != " " || t.gap(i+2) != by {
			return false
		}
		last = i + 2
		doubtful = d <= "31" && t.digits(i+1) <= "12"
	default:
		return false
	}
	if t.touches(last + 1) {
		return false
	}
	for j := max(0, i-12); j < min(len(t.pieces), last+12); j++ {
		if j >= i && j <= last || !t.account(j) {
			continue
		}
		return !doubtful || t.near(i, 14, bankWords)
	}
	return false
}

// account reports whether the number i may be that of an account: eight digits.
func (t *text) account(i int) bool {
	d := t.digits(i)
	if len(d) == 4 && len(t.digits(i+1)) == 4 && t.joined(i+1, " -") && !t.touches(i+1) && !t.joined(i+2, " -") {
		return !t.stuck(i) && !t.touches(i+2)
	}
	return len(d) == 8 && !t.stuck(i) && !t.touches(i+1) && !t.more(i)
}

var bankWords = set("sort", "sortcode", "account", "acc", "acct", "bank", "bacs", "payee", "barclays", "lloyds", "natwest", "hsbc", "santander", "halifax",
	"nationwide", "monzo", "starling", "unity", "tsb")

// near reports whether one of the words stands at most most pieces from piece i.
func (t *text) near(i, most int, words map[string]bool) bool {
	for j := max(0, i-most); j < min(len(t.pieces), i+most); j++ {
		if p := t.pieces[j]; !p.number && words[t.of(p)] {
			return true
		}
	}
	return false
}

// birth reports whether the word i speaks of a birth, and a date with its year stands near.
func (t *text) birth(i int) bool {
	switch t.word(i) {
	case "dob", "born", "birthdate":
	case "d":
		if t.word(i+1) != "o" || t.word(i+2) != "b" || !t.joined(i+1, ". ") || !t.joined(i+2, ". ") {
			return false
		}
	case "birth":
		if t.word(i+1) != "date" && !(t.word(i-1) == "of" && t.word(i-2) == "date") {
			return false
		}
	default:
		return false
	}
	if t.touches(i) {
		return false
	}
	for j := max(0, i-8); j < min(len(t.pieces), i+10); j++ {
		if t.date(j) {
			return true
		}
	}
	return false
}

// months are how months begin.
var months = set("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

func isMonth(word string) bool { return len(word) >= 3 && len(word) <= 9 && months[word[:3]] }

// date reports whether a date with its year begins with piece i.
func (t *text) date(i int) bool {
	if t.touches(i) {
		return false
	}
	if isMonth(t.word(i)) { // March 3rd, 1961
		j := i + 2
		if t.ordinal(j) {
			j++
		}
		return within(t.digits(i+1), 1, 31) && t.year(j)
	}
	d := t.digits(i)
	if len(d) == 4 { // 1961-03-03
		return t.year(i) && t.joined(i+1, "/-.") && t.joined(i+2, "/-.") && within(t.digits(i+1), 1, 12) && within(t.digits(i+2), 1, 31)
	}
	if !within(d, 1, 31) {
		return false
	}
	j := i + 1
	if within(t.digits(j), 1, 12) { // 3/3/61
		return t.joined(j, "/-. ") && t.joined(j+1, "/-. ") && t.year(j+1)
	}
	if t.ordinal(j) {
		j++
	}
	if t.word(j) == "of" {
		j++
	}
	return isMonth(t.word(j)) && t.year(j+1)
}

// ordinal reports whether piece i is the end of 3rd.
func (t *text) ordinal(i int) bool {
	switch t.word(i) {
	case "st", "nd", "rd", "th":
		return t.touches(i)
	}
	return false
}

func (t *text) year(i int) bool {
	d := t.digits(i)
	return len(d) == 2 || within(d, 1900, 2099)
}

// within reports whether d is a number from least to most.
func within(d string, least, most int) bool {
	if d == "" || len(d) > 4 {
		return false
	}
	n, _ := strconv.Atoi(d)
	return n >= least && n <= most
}

// home reports whether a postcode begins with the word i, and a house in a street, or a
// house by its name, stands before it, or a number behind.
func (t *text) home(i int) bool {
	last, is := t.postcode(i)
	if !is {
		return false
	}
	for j := max(0, i-14); j < i; j++ {
		if t.house(j, i) {
			return true
		}
	}
	return houseNumber[t.word(last+1)] && t.digits(last+2) != ""
}

var houseNumber = set("no", "number", "flat", "house", "apartment", "plot")

// postcode reports whether a full postcode begins with the word i, and which piece is its
// last.
func (t *text) postcode(i int) (last int, is bool) {
	area := t.word(i)
	district := t.digits(i + 1)
	if len(area) == 0 || len(area) > 2 || area[0] > 'z' || t.touches(i) || !t.touches(i+1) || len(district) > 3 {
		return 0, false
	}
	j := i + 2
	if letter := t.word(j); len(letter) == 1 && t.touches(j) && len(district) < 3 { // SW1A 1AA
		j++
	}
	if t.digits(j) != "" { // its own piece: the second half stands apart, or after a letter
		if len(district) == 3 || len(t.digits(j)) != 1 || !t.joined(j, " ") {
			return 0, false
		}
		j++
	} else if len(district) < 2 || j != i+2 {
		return 0, false
	}
	unit := t.word(j)
	if len(unit) != 2 || !t.touches(j) || t.touches(j+1) || strings.ContainsAny(unit, "cikmov") {
		return 0, false
	}
	return j, true
}

// house reports whether a house begins with piece i, before piece before: 12 Mill Lane,
// Flat 3, Rose Cottage.
func (t *text) house(i, before int) bool {
	if t.touches(i) {
		return false
	}
	if w := t.word(i); w != "" {
		return houseNumber[w] && len(t.digits(i+1)) > 0 && len(t.digits(i+1)) <= 4 ||
			houses[t.word(i+1)] && i+1 < before && !places[w] && t.joined(i+1, " -")
	}
	next := t.word(i + 1)
	if len(t.digits(i)) > 4 || t.stuck(i) || t.touches(i+1) && len(next) > 1 || isMonth(next) || clock[next] {
		return false
	}
	for j := i + 1; j < min(i+5, before); j++ {
		if t.digits(j) != "" || len(t.gap(j)) > 2 {
			return false
		}
		if j > i+1 && streets[t.word(j)] {
			return true
		}
	}
	return false
}

var (
	clock   = set("am", "pm", "o", "noon", "hrs", "hours", "people", "of", "at", "in", "on", "and")
	houses  = set("cottage", "house", "farm", "farmhouse", "barn", "lodge", "villa", "bungalow", "vicarage", "rectory", "manor", "cottages")
	places  = set("parish", "public", "club", "community", "village", "town", "council", "the", "a", "coffee", "alms", "power", "pump", "full", "moot", "to", "in", "on", "at")
	streets = set("road", "rd", "street", "st", "lane", "ln", "close", "cl", "avenue", "ave", "drive", "dr", "way", "gardens", "gdns", "court", "ct", "place", "pl",
		"terrace", "crescent", "cres", "grove", "hill", "green", "row", "walk", "mews", "square", "sq", "park", "view", "rise", "end", "common", "parade", "vale",
		"orchard", "meadow", "meadows", "field", "fields", "bank", "side", "yard", "wharf", "broadway", "highway", "approach", "chase", "croft", "drove", "paddock")
)

// email reports whether there is an email address that is neither the council's nor that
// of another public body.
func (r Reader) email(t *text) bool {
	s := t.plain
	for i := range len(s) {
		if s[i] != '@' {
			continue
		}
		name := i
		for name > 0 && i-name < 64 && isMailbox(s[name-1]) {
			name--
		}
		end := i + 1
		for end < len(s) && end-i < 254 && isMailbox(s[end]) {
			end++
		}
		domain := strings.TrimRight(s[i+1:end], ".-_'+%")
		dot := strings.LastIndexByte(domain, '.')
		if name == i || dot <= 0 || !topLevel(domain[dot+1:]) {
			continue
		}
		if !r.public(domain) {
			return true
		}
	}
	return false
}

func isMailbox(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte(".-_'+%", c) >= 0
}

func topLevel(s string) bool {
	return len(s) >= 2 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz") == ""
}

// publicBodies are under which their email addresses are.
var publicBodies = []string{"gov.uk", "police.uk", "parliament.uk", "gov.wales", "gov.scot"}

func (r Reader) public(domain string) bool {
	return slices.ContainsFunc(slices.Concat(r.Domains, publicBodies), func(own string) bool {
		return domain == own || strings.HasSuffix(domain, "."+own)
	})
}
