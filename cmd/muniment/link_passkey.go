package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// A questioner asks the person at the terminal.
type questioner struct {
	in    *os.File
	out   io.Writer
	lines chan string // what is typed; closed at the end of input
	asked bool        // for the passkey: what to do has been said
}

// whatToDo is what a person does for this machine, which cannot have a passkey.
const whatToDo = `
WhatsApp asks for the account's passkey. It is on the council's phone or on some
computer, and a browser has to ask for it in place of this machine:

  1. On a computer, with the phone beside it, open https://web.whatsapp.com in a
     current Chrome, Edge, Firefox or Safari. Do not link that browser.
  2. Open the browser's console: F12, or Ctrl+Shift+J (on a Mac, Cmd+Option+J).
  3. Paste the line below there, and press Enter. If the browser first wants to be
     allowed to paste, allow it: it is right to warn of lines from strangers, but this
     one only asks for the passkey and prints the answer.
  4. The browser asks for the passkey. If it is on the phone, choose "phone or tablet",
     or the like, and scan the code with the phone's camera.
  5. The console prints a line that begins with {" and ends with }. Copy it, paste it
     here, and press Enter. It is of no use to anybody but this machine, once.

Within five minutes, if possible. To stop, press Ctrl+C: then nothing is linked.
`

// passkey asks for the passkey's answer to a line of JavaScript.
func (q *questioner) passkey(ctx context.Context, line string, wrong error) (string, error) {
	if wrong != nil {
		fmt.Fprintf(q.out, "\nThat did not work: %v.\n", wrong)
	}
	if !q.asked {
		fmt.Fprint(q.out, whatToDo)
		q.asked = true
	}
	fmt.Fprintf(q.out, "\nThe line for the console:\n\n%s\n\n", line)
	return q.ask(ctx, "The answer: ")
}

// compare asks whether the phone shows the code.
func (q *questioner) compare(ctx context.Context, code string) (same bool, err error) {
	fmt.Fprintf(q.out, "\nThe phone should show this code now:\n\n    %s\n\n", code)
	for {
		s, err := q.ask(ctx, "Does it show exactly this one? yes or no: ")
		if err != nil {
			return false, err
		}
		switch strings.ToLower(s) {
		case "yes", "y":
			return true, nil
		case "no", "n":
			return false, nil
		}
	}
}

// ask returns the next line that is not empty. Reading a terminal cannot be cut short: what
// reads it goes with the process.
func (q *questioner) ask(ctx context.Context, question string) (string, error) {
	if q.lines == nil {
		q.lines = make(chan string)
		go func() {
			defer close(q.lines)
			for s := bufio.NewScanner(q.in); s.Scan(); {
				q.lines <- strings.TrimSpace(s.Text())
			}
		}()
	}
	fmt.Fprint(q.out, question)
	for {
		select {
		case <-ctx.Done():
			fmt.Fprintln(q.out)
			return "", ctx.Err()
		case s, more := <-q.lines:
			if !more {
				fmt.Fprintln(q.out)
				return "", errors.New("the input ended; nothing was linked")
			} else if s != "" {
				return s, nil
			}
		}
	}
}
