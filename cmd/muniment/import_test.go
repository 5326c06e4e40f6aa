package main

import (
	"archive/zip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// pack ZIP FILE… packs files as a phone packs an export. In texts, marks that show
// nothing are written so that they show.
func pack() {
	if err := packFiles(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func packFiles(name string, files []string) error {
	out, err := os.Create(name)
	if err != nil {
		return err
	}
	z := zip.NewWriter(out)
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		if strings.HasSuffix(f, ".txt") {
			b = []byte(strings.NewReplacer("{LRM}", "\u200e", "{NNBSP}", "\u202f", "{LRE}", "\u202a", "{PDF}", "\u202c", "{FSI}", "\u2068", "{PDI}", "\u2069").Replace(string(b)))
		}
		w, err := z.Create(filepath.Base(f))
		if err != nil {
			return err
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return errors.Join(z.Close(), out.Close())
}
