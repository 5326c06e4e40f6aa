package main

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muniment/internal/archive"
	"muniment/internal/record"
	"muniment/internal/retention"
)

func TestReviewDate(t *testing.T) {
	for _, c := range []struct {
		today, s string
		want     string // empty: refused
	}{
		{"2026-11-22", "", "2027-05-22"},
		{"2026-08-31", "", "2027-02-28"},
		{"2027-08-31", "", "2028-02-29"},
		{"2026-11-22", "22 May 2027", "2027-05-22"},
		{"2026-11-22", "2026-11-23", "2026-11-23"},
		{"2026-11-22", "2026-11-22", ""},
		{"2026-11-22", "2027-05-23", ""},
		{"2026-11-22", "soon", ""},
	} {
		got, err := reviewDate(c.s, retention.Date(c.today))
		if string(got) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("on %s, %q: %s, %v; want %s", c.today, c.s, got, err, c.want)
		}
	}
}

func TestRecordNumbers(t *testing.T) {
	got, err := recordNumbers([]string{"15-17", "12", " 16 - 18 ", "9223372036854775807"})
	if diff := cmp.Diff([]record.Seq{12, 15, 16, 17, 18, math.MaxInt64}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	for _, s := range []string{"", "0", "-3", "18-15", "1-", "x", "1-100001", "9223372036854775807-9223372036854775807x"} {
		if seqs, err := recordNumbers([]string{"1", s}); err == nil {
			t.Errorf("%q is taken for %v", s, record.Spans(seqs))
		}
	}
}

func TestCovered(t *testing.T) {
	var many []record.Seq
	for i := range record.Seq(40) {
		many = append(many, 2*i+1)
	}
	for _, c := range []struct {
		archive.Cover
		want string
	}{
		{archive.Cover{Scope: archive.Everything}, "everything"},
		{archive.Cover{Scope: archive.Dates, From: "2026-11-01", Through: "2026-11-01"}, "what was sent on 1 November 2026"},
		{archive.Cover{Scope: archive.Dates, From: "2026-11-01", Through: "2026-11-30"}, "what was sent from 1 November 2026 to 30 November 2026"},
		{archive.Cover{Scope: archive.ByMember, Member: 1}, "what one member sent"},
		{archive.Cover{Scope: archive.Records, Records: []record.Seq{12}}, "record 12"},
		{archive.Cover{Scope: archive.Records, Records: []record.Seq{12, 15, 16}}, "records 12, 15-16"},
		{archive.Cover{Scope: archive.Records, Records: many}, "40 records from 1 to 79"},
		{archive.Cover{Scope: archive.Records, Records: many[:1], Search: "mill\nlane"}, "1 record found by a search for mill lane"},
	} {
		if got := covered(archive.Hold{Cover: c.Cover}); got != c.want {
			t.Errorf("%q; want %q", got, c.want)
		}
	}
}
