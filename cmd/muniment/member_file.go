package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"muniment/internal/config"
	"muniment/internal/people"
)

// A row is what a file says of one person.
type row struct {
	line        int
	number, lid string
	says        said // empty cells say nothing
}

// A faultIn is what is wrong at a place in a file.
type faultIn struct {
	line   int
	column string // its heading; empty: the whole line
	error
}

func (f faultIn) Error() string {
	if f.column == "" {
		return fmt.Sprintf("line %d: %v", f.line, f.error)
	}
	return fmt.Sprintf("line %d, column %s: %v", f.line, f.column, f.error)
}

// otherHeadings are what people call the columns, besides what we do.
var otherHeadings = map[string]string{
	"alternative": "instead", "telephone": "number", "phone": "number", "mobile": "number", "e-mail": "email",
}

// heading returns the field that a column is for: "number", "lid" or one of fields; empty if
// it is for none.
func heading(s string) string {
	s = strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return strings.ContainsRune(" -_\u00a0", r) }), "-")
	if other, ok := otherHeadings[s]; ok {
		return other
	}
	if s == "number" || s == "lid" || slices.ContainsFunc(fields, func(f field) bool { return f.name == s }) {
		return s
	}
	return ""
}

// headings are the columns that a file may have.
func headings() string {
	all := []string{"name", "number", "lid"}
	for _, f := range fields[1:] {
		all = append(all, strings.ReplaceAll(f.name, "-", " "))
	}
	return strings.Join(all, ", ")
}

// readRegister reads a table of people, as a spreadsheet saves it (CSV). It returns
// what is wrong with it, if anything.
func readRegister(b []byte) (rows []row, faults []error) {
	b = bytes.TrimPrefix(b, []byte("\ufeff"))
	if !utf8.Valid(b) {
		return nil, []error{errors.New("it is not UTF-8 text: in the spreadsheet, save it as \"CSV UTF-8\"")}
	}
	r, columns, err := openTable(b)
	if err != nil {
		return nil, []error{err}
	}
	if faults = checkHeadings(columns); len(faults) > 0 {
		return nil, faults
	}
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, faults
		} else if err != nil { // what follows cannot be told apart
			return nil, append(faults, notCSV(err))
		}
		line, _ := r.FieldPos(0)
		read := row{line: line, says: make(said)}
		for i, cell := range cells {
			cell = strings.TrimSpace(strings.ReplaceAll(cell, "\u00a0", " ")) // spreadsheets have them
			switch {
			case cell == "":
			case i >= len(columns) || columns[i] == "":
				faults = append(faults, faultIn{line, "", fmt.Errorf("%q stands beyond the columns that have a heading", cell)})
			case heading(columns[i]) == "number":
				read.number = cell
			case heading(columns[i]) == "lid":
				read.lid = cell
			default:
				read.says[heading(columns[i])] = cell
			}
		}
		if len(read.says) > 0 || read.number != "" || read.lid != "" {
			rows = append(rows, read)
		}
	}
}

// openTable reads the headings, with the separator by which most of them are known.
func openTable(b []byte) (*csv.Reader, []string, error) {
	var best *csv.Reader
	var columns []string
	var wrong error
	most := -1
	for _, separator := range ",;\t" {
		r := csv.NewReader(bytes.NewReader(b))
		r.Comma, r.FieldsPerRecord, r.TrimLeadingSpace = separator, -1, separator != '\t'
		first, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil, nil, errors.New("it is empty: its first line must name the columns: " + headings())
		} else if err != nil {
			wrong = notCSV(err)
			continue
		}
		for i := range first {
			first[i] = strings.TrimSpace(first[i])
		}
		known := 0
		for _, s := range first {
			if heading(s) != "" {
				known++
			}
		}
		if known > most {
			best, columns, most = r, first, known
		}
	}
	if best == nil {
		return nil, nil, wrong
	}
	return best, columns, nil
}

func checkHeadings(columns []string) (faults []error) {
	at := make(map[string]int)
	for i, s := range columns {
		name := heading(s)
		switch {
		case s == "":
		case name == "":
			faults = append(faults, fmt.Errorf("line 1: no column is called %q; there may be: %s", s, headings()))
		case at[name] > 0:
			faults = append(faults, fmt.Errorf("line 1: columns %d and %d are both for the same, %s", at[name], i+1, name))
		default:
			at[name] = i + 1
		}
	}
	if at["name"] == 0 {
		faults = append(faults, errors.New("line 1: there must be a column name"))
	}
	return faults
}

// notCSV says what is wrong with a file that is no table.
func notCSV(err error) error {
	var p *csv.ParseError
	if !errors.As(err, &p) {
		return err
	}
	return faultIn{p.Line, "", fmt.Errorf("a quotation mark stands where none should be, or is missing (at character %d); what follows cannot be read", p.Column)}
}

// faultsOf tells what is wrong with a row, from what is wrong with its fields.
func (r row) faultsOf(wrong map[string]error) (faults []error) {
	for _, f := range fields {
		if err := wrong[f.name]; err != nil {
			faults = append(faults, faultIn{r.line, strings.ReplaceAll(f.name, "-", " "), err})
		}
	}
	return faults
}

// check tells what is wrong with a row whoever it is of.
func (r row) check(cfg config.Config) (faults []error) {
	if r.says["name"] == "" {
		faults = append(faults, faultIn{r.line, "name", errors.New("the name is missing")})
	}
	if r.number != "" {
		if _, err := people.ParseNumber(r.number); err != nil {
			faults = append(faults, faultIn{r.line, "number", err})
		}
	}
	if r.lid != "" {
		if _, err := memberAddress("", r.lid, false); err != nil {
			faults = append(faults, faultIn{r.line, "lid", err})
		} else if r.number != "" {
			faults = append(faults, faultIn{r.line, "lid", errors.New("give the number or the LID, not both: WhatsApp tells what belongs together")})
		}
	}
	var m people.Member
	return append(faults, r.faultsOf(r.says.apply(&m, cfg))...)
}
