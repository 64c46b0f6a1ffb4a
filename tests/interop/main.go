// The Go side of `make interop`: golang.org/x/mod/sumdb (note, tlog), by the authors of Go.
// Reads JSON on standard input, prints what it makes of it, and what it makes itself.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type growth struct {
	Old, New         int64
	OldRoot, NewRoot string
	Hashes           []string
}

type input struct {
	Notes   []struct{ Note, Vkey string }
	Growths []growth
	Signer  string
	Text    string
	Leaves  []string
}

type output struct {
	Notes   []bool
	Growths []bool
	Signed  string
	Made    []growth
}

type hashes []tlog.Hash

func (h hashes) ReadHashes(at []int64) ([]tlog.Hash, error) {
	var found []tlog.Hash
	for _, index := range at {
		found = append(found, h[index])
	}
	return found, nil
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func hash(text string) (h tlog.Hash) {
	data, err := base64.StdEncoding.DecodeString(text)
	check(err)
	copy(h[:], data)
	return h
}

func main() {
	var in input
	check(json.NewDecoder(os.Stdin).Decode(&in))
	var out output
	for _, one := range in.Notes {
		verifier, err := note.NewVerifier(one.Vkey)
		check(err)
		_, err = note.Open([]byte(one.Note), note.VerifierList(verifier))
		out.Notes = append(out.Notes, err == nil)
	}
	for _, one := range in.Growths {
		var proof tlog.TreeProof
		for _, text := range one.Hashes {
			proof = append(proof, hash(text))
		}
		err := tlog.CheckTree(proof, one.New, hash(one.NewRoot), one.Old, hash(one.OldRoot))
		out.Growths = append(out.Growths, err == nil)
	}
	signer, err := note.NewSigner(in.Signer)
	check(err)
	signed, err := note.Sign(&note.Note{Text: in.Text}, signer)
	check(err)
	out.Signed = string(signed)
	var stored hashes
	var roots []string
	for index, leaf := range in.Leaves {
		data, err := base64.StdEncoding.DecodeString(leaf)
		check(err)
		more, err := tlog.StoredHashes(int64(index), data, stored)
		check(err)
		stored = append(stored, more...)
		root, err := tlog.TreeHash(int64(index+1), stored)
		check(err)
		roots = append(roots, base64.StdEncoding.EncodeToString(root[:]))
	}
	for n := int64(1); n <= int64(len(in.Leaves)); n++ {
		for m := int64(1); m <= n; m++ {
			proof, err := tlog.ProveTree(n, m, stored)
			check(err)
			one := growth{Old: m, New: n, OldRoot: roots[m-1], NewRoot: roots[n-1]}
			for _, found := range proof {
				one.Hashes = append(one.Hashes, base64.StdEncoding.EncodeToString(found[:]))
			}
			out.Made = append(out.Made, one)
		}
	}
	var buffer bytes.Buffer
	check(json.NewEncoder(&buffer).Encode(out))
	os.Stdout.Write(buffer.Bytes())
}
