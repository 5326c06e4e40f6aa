package flag

import "strings"

// vocabulary is what is known by words alone: by those that say it, unless they are
// others that begin alike, or follow a word that makes something else of them.
var vocabulary = []struct {
	kind Kind
	phrases
	except phrases
	after  map[string]bool
}{
	{kind: Confidence, phrases: inWords(`
		confidential
		confidentially
		confidentiality
		in confidence
		in strict confidence
		in strictest confidence
		exempt
		private session
		closed session
		private and sensitive
		not for publication
		not for public
		not for sharing
		do not share
		don t share
		dont share
		please don t forward
		do not forward
		off the record
		between ourselves
		between you and me
		exclude the public
		exclude the press
		exclusion of the public
		exclusion of the press
		excluding the press
		excluding the public
		part ii item
		pink paper
		pink papers
		without prejudice
		legally privileged
	`), except: inWords(`
		exempt from
	`), after: set("vat", "tax", "rate", "rates", "fee")},

	{kind: Welfare, phrases: inWords(`
		safeguarding
		safeguard concern
		child protection
		social services
		social worker
		social workers
		domestic abuse
		domestic violence
		coercive control
		foster child
		foster children
		in foster care
		vulnerable adult
		vulnerable child
		at risk of harm
		being abused
		sexual assault
		sexually assaulted
		grooming
	`), except: inWords(`
		grooming parlour
		grooming salon
	`), after: set("dog", "pet", "cat", "horse")},

	{kind: Health, phrases: inWords(`
		diagnosed
		diagnosis
		prognosis
		cancer
		tumour
		leukaemia
		chemotherapy
		chemo
		radiotherapy
		dementia
		alzheimer
		alzheimers
		parkinson s
		multiple sclerosis
		motor neurone
		heart attack
		heart failure
		had a stroke
		a stroke
		miscarriage
		miscarried
		pregnant
		pregnancy
		mental health
		mental illness
		nervous breakdown
		schizophrenia
		bipolar
		depression
		self harm
		self harming
		suicide
		suicidal
		overdose
		overdosed
		addiction
		alcoholic
		rehab
		epilepsy
		epileptic
		autism
		autistic
		adhd
		diabetes
		diabetic
		hiv
		terminally ill
		hospice
		sectioned
		medical condition
		medical records
		medical history
		health condition
		health problems
		ill health
		sick leave
		sick note
		fit note
		off sick
		signed off work
		occupational health
		test results
		in intensive care
		his medication
		her medication
		their medication
		on medication
		disability benefit
		disability benefits
		personal independence payment
	`), except: inWords(`
		a stroke of
	`), after: set("economic", "tropical", "weather")},

	{kind: Agreement, phrases: inWords(`
		agreed
		all in favour
		all in favor
		all agree
		we all agree
		unanimous
		unanimously
		approve
		approved
		approves
		approving
		seconded
		i second
		i propose
		i proposed
		proposed by
		motion
		resolved to
		resolved that
		nem con
		carried unanimously
		motion carried
		show of hands
		shall we vote
		let s vote
		vote on
		voted for
		voted against
		voted to
		i vote
		my vote
	`), except: inWords(`
		motion sensor
		motion sensors
		motion detector
		motion activated
	`), after: set("slow", "in", "time")},

	{kind: Order, phrases: inWords(`
		go ahead and
		go ahead with
		going ahead and
		green light
		order it
		order them
		order one
		order two
		order some
		let s order
		please order
		we ll order
		i ll order
		i ve ordered
		place the order
		place an order
		buy it
		let s buy
		accept the quote
		accept the quotation
		accept the tender
		accept their quote
		instruct the contractor
		instruct our solicitor
		spend up to
		sign the contract
		sign the lease
	`)},
}

func set(words ...string) map[string]bool {
	s := make(map[string]bool)
	for _, w := range words {
		s[w] = true
	}
	return s
}

// counts are numbers as they are written out in votes.
var counts = set("no", "nobody", "none", "nil", "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
	"thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty")

// count reports whether piece i is a number that a vote of a council can have.
func (t *text) count(i int) bool {
	n := t.digits(i)
	return n != "" && len(n) <= 2 || counts[t.word(i)]
}

// votes reports whether a count of votes begins with the number i: 5 for and 2 against,
// 4 in favour, 3 votes, 5 ayes.
func (t *text) votes(i int) bool {
	if !t.count(i) || t.touches(i) || t.money(i) {
		return false
	}
	switch t.word(i + 1) {
	case "votes", "ayes", "noes", "against", "abstained", "abstention", "abstentions":
		return t.joined(i+1, " ")
	case "in":
		return t.word(i+2) == "favour" || t.word(i+2) == "favor"
	case "for":
		j := i + 2
		for _, w := range []string{"and", "with"} {
			if t.word(j) == w {
				j++
			}
		}
		return t.count(j) && t.word(j+1) == "against"
	}
	return false
}

// divided reports whether a count of votes begins with the word i: for 5, against 2;
// voted 5 to 2; carried 5-2; four in favour.
func (t *text) divided(i int) bool {
	switch t.word(i) {
	case "for", "against":
		return t.count(i+1) && (t.word(i+2) == "against" || t.word(i+2) == "for") && t.count(i+3)
	case "vote", "voted", "carried", "lost", "passed", "defeated":
		return t.count(i+1) && (t.joined(i+2, "-") && t.count(i+2) || t.word(i+2) == "to" && t.count(i+3))
	}
	return counts[t.word(i)] && t.votes(i)
}

// money reports whether the number i is an amount.
func (t *text) money(i int) bool {
	before := t.plain[:t.pieces[i].start]
	return strings.HasSuffix(before, "£") || strings.HasSuffix(before, "€") || strings.HasSuffix(before, "$")
}
