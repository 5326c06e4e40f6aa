package letter

import (
	"fmt"
	"html/template"
)

// styles is how every kind of element of a letter looks in the light. Each
// element bears its style itself: Gmail throws the page's sheet away when
// somebody reads another provider's mailbox in it, and so do some programs on the web.
// What the sheet adds is the dark, paper, and what only a program of today can do.
//
// Outlook for Windows lays letters out with Word. It knows no widest width, no
// padding but in cells of tables and in what has a border, and no margin of a
// table; so whatever has a ground of its own is a cell in a cell.
var styles = map[string]string{
	"page":    "margin:0;padding:0;background-color:#ffffff",
	"letter":  "padding:20px 18px 32px;font-family:" + sans + ";font-size:17px;line-height:1.5;color:#1c1d1f;text-align:left;word-break:break-word",
	"council": "margin:0 0 4px;font-size:16px;font-weight:600;color:#1f5a52",
	"title":   "margin:0 0 16px;font-size:26px;line-height:1.2;font-weight:700",
	"section": "margin:34px 0 14px;padding:14px 0 0;border:none;border-top:1px solid #d5d8d6;font-size:20px;line-height:1.25;font-weight:700",
	"day":     "margin:26px 0 14px;font-size:16px;line-height:1.5;font-weight:600;color:#1f5a52",
	"p":       "margin:0 0 14px",
	"list":    "margin:0 0 14px;padding:0 0 0 22px",
	"item":    "margin:0 0 6px",

	"name":  "width:36%;padding:0 10px 6px 0;font-weight:600;text-align:left;vertical-align:top",
	"facts": "margin:0 0 8px",
	"value": "padding:0 0 6px;text-align:left;vertical-align:top",
	"data":  "margin:0 0 14px",
	"cell":  "padding:5px 14px 5px 0;border:none;border-bottom:1px solid #d5d8d6;text-align:left;vertical-align:top",

	// A chart. Its bars can be told from the light ground and from the dark.
	"chart":   "margin:0 0 18px;border-collapse:collapse",
	"caption": "padding:0 0 4px;font-weight:600;text-align:left",
	"bar-of":  "padding:1px 12px 1px 0;font-weight:400;text-align:left",
	"number":  "padding:1px 10px 1px 0;text-align:right",
	"bars":    "padding:1px 0;vertical-align:middle",
	"bar":     "padding:0;background-color:#3f8f82;font-size:1px",

	// Grounds.
	"callout":       "padding:10px 14px;border:1px solid #8a6200;border-left:5px solid #8a6200;border-radius:4px;background-color:#fff8e5",
	"marked":        "padding:10px 14px 6px;border:1px solid #8a6200;border-left:6px solid #8a6200;border-radius:4px;background-color:#fff8e5",
	"demonstration": "padding:10px 14px;border:2px dashed #a3261b;border-radius:4px;background-color:#fff1ef",
	"verbatim":      "padding:10px 14px;border-radius:4px;background-color:#f1f3f2",
	"lines":         "margin:0;font-family:" + mono + ";font-size:16px;line-height:1.45;white-space:pre-wrap",
	"inside":        "margin:0",

	// Messages. Outlook writes just such a bar beside what is answered.
	"message":   "margin:0 0 22px;padding:0 0 0 14px;border:none;border-left:3px solid #e2e5e3",
	"line":      "margin:0 0 4px",
	"mark":      "margin:0 0 4px;font-weight:700;color:#6e4e00",
	"aside":     "font-size:16px;color:#55595c",
	"reply":     "margin:3px 0 6px;padding:0 0 0 10px;border:none;border-left:2px solid #9aa09d;font-size:16px;color:#55595c",
	"what":      "margin:0 0 4px;font-size:16px;font-weight:600;color:#1f5a52",
	"text":      "margin:0 0 4px;white-space:pre-wrap",
	"earlier":   "margin:0 0 4px;padding:0 0 0 10px;border:none;border-left:2px solid #9aa09d;white-space:pre-wrap",
	"note":      "margin:0 0 4px;font-size:16px;font-style:italic;color:#55595c",
	"standing":  "margin:0 0 4px;font-size:16px;color:#55595c",
	"standings": "margin:0 0 6px;padding:0 0 0 22px;font-size:16px;color:#55595c",
	"reactions": "margin:0 0 4px;font-size:16px;color:#55595c",
	"picture":   "margin:8px 0",

	"footer": "margin:36px 0 0;padding:16px 0 0;border:none;border-top:1px solid #d5d8d6;font-size:16px;color:#55595c",
}

const (
	sans = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"
	mono = "ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace"
)

// is makes an element one of a kind.
func is(kind string) (template.HTMLAttr, error) {
	style, ok := styles[kind]
	if !ok {
		return "", fmt.Errorf("no style for %q", kind)
	}
	return template.HTMLAttr(`class="` + kind + `" style="` + style + `"`), nil
}

// mso returns what only Outlook for Windows reads.
func mso(what string) template.HTML {
	return template.HTML("<!--[if mso]>" + what + "<![endif]-->")
}
