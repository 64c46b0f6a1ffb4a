"""The README of every evidence file, the same in all of them: nobody can put other commands there."""

__all__ = ["README_TEXT"]

README_TEXT = rb"""EVIDENCE OF WHAT A LOGCHAIN STORE RECEIVED

This directory proves which lines certain qubes of a Qubes OS machine sent to its log store, in which order, and when
the store received them. This text is the same in every such file: 'logchain verify' refuses one with another text.

  index                           which store, which times, which streams, which segments
  streams/QUBE/STREAM/text        the lines that were received in these times: receive time (UTC), kind, what was sent.
                                  Kind - is a line, + a part of a long line, # a note of the store's own
  streams/QUBE/STREAM/N/OFFSET    the blocks of the sealed segment N that these lines stand in
  streams/QUBE/STREAM/N.manifest  what segment N is: sizes, times, and the SHA-256 of each of its blocks; signed.
                                  One without blocks has nothing of these times, and shows that nothing is missing there
  ledger/entries                  what happened to the store, from its first moment up to the sealing of these segments.
                                  Each entry hashes the one before and is signed by a key that the one before names;
                                  the key of an entry signs the manifest that it names, too, and is then erased
  ledger/proofs                   that these entries are in the ledger's Merkle tree (RFC 6962, C2SP tlog-proof)
  keys                            the key that signs the first entry, and the one that signs checkpoints of the tree

Look at 'text' with care: what is in it was written by whoever had the qube. 'cat -v' and 'less' show it without harm.

WITH LOGCHAIN

Get the store's fingerprint from its owner, not together with this file: on paper, or by word of mouth. Then

  logchain verify --fingerprint 'FINGERPRINT' FILE.tar

WITHOUT LOGCHAIN

With bash, the usual tools, and openssl 3. If you do not trust who gave you the file, take this text from logchain's own
pages (docs/spec/evidence.md), not from here: it is the same, byte for byte. Go to the directory that this text is in,
and paste all between the two brackets, with them. It says BAD where something does not fit, and tells where something
may be missing; at the end, by when all of it was sealed, by the store's clock, and the fingerprint, which has to be the
one that the owner gave you. A thousand entries of the ledger take some ten seconds.

    (
    export LC_ALL=C; tmp=$(mktemp -d); trap 'rm -r "$tmp"' EXIT; sum() { sha256sum | cut -d ' ' -f 1; }
    der() {  # der KEY: a key as it stands behind 'next' and 'genesis', as openssl takes it
      printf '\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00'
      printf %s "$1" | cut -d + -f 3- | base64 -d 2> /dev/null | tail -c 32
    }
    signed() {  # signed FILE KEY: is FILE signed by KEY?
      sed '/^$/,$d' "$1" > "$tmp/text"
      tail -n 1 "$1" | cut -d ' ' -f 3 | base64 -d 2> /dev/null | tail -c 64 > "$tmp/signature"
      der "$2" > "$tmp/key"
      openssl pkeyutl -verify -pubin -keyform DER -inkey "$tmp/key" -rawin \
        -in "$tmp/text" -sigfile "$tmp/signature" > /dev/null 2>&1
    }
    # 1. nothing is here but what belongs here, and names are names
    vm='[A-Za-z][A-Za-z0-9_.-]*' name='[A-Za-z0-9][A-Za-z0-9_.-]*' h='[0-9a-f]{64}' t='[0-9TZ:.-]{27}'
    files="README|index|keys/(genesis|log)\.pem|ledger/entries|ledger/proofs/[0-9]{8}\.tlog-proof"
    files="^\./($files|streams/$vm/$name/(text|[0-9]{8}\.manifest|[0-9]{8}/[0-9]{9}))$"
    lines="logchain evidence v1|store [0-9a-f]{32}|range $t $t|entries [0-9]+|segment [0-9]+ [0-9]+"
    lines="^($lines|stream $vm $name $h ($h|-))$"
    if find . -name '*[!A-Za-z0-9_.-]*' -o ! -type d ! -type f | grep -q . || find . -type f | grep -qvE "$files" ||
      grep -qavE "$lines" index; then echo 'BAD: there is something that does not belong here'; exit 1; fi
    there=$(find streams -mindepth 2 -maxdepth 2 | wc -l)
    named=$(grep '^stream ' index | cut -d ' ' -f 2,3 | sort -u | wc -l)
    [ "$there" = "$named" ] || echo 'BAD: there are streams that the index does not name'
    # 2. the entries: each signed by the key that the one before names, and each hashes the one before
    read -r _ genesis log < <(sed -n 7p ledger/entries); store=$(sed -n 2p index)
    key=$genesis before=$(printf '%064d' 0)
    split -l 10 -d -a 8 ledger/entries "$tmp/entry."
    for entry in "$tmp"/entry.*; do
      signed "$entry" "$key" && grep -qx "previous sha256:$before" "$entry" && grep -qx "$store" "$entry" ||
        echo "BAD: ledger, ${entry##*/}"
      key=$(sed -n '8s/^next //p' "$entry"); before=$(sum < "$entry")
    done
    pem() { printf -- '-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n' "$(der "$1" | base64)"; }
    pem "$genesis" | cmp -s - keys/genesis.pem && pem "$log" | cmp -s - keys/log.pem || echo 'BAD: keys'
    read -r word since until < <(sed -n 3p index)
    [ "$word" = range ] || echo 'BAD: the index is in disorder'
    grep '^stream ' index | while read -r _ qube stream id salt; do
      place=streams/$qube/$stream
      # 3. the segments: none sealed twice or left out; each manifest named by an entry, and signed by the entry's key
      sed -n "s/^seal $id \([0-9]*\) .*/\1/p" ledger/entries > "$tmp/sealed"
      sort -nuc "$tmp/sealed" 2> /dev/null || echo "BAD: $place: a segment was sealed twice"
      awk -v name="$qube/$stream" '/^stream / {on = $2 "/" $3 == name}
        /^segment / && on {print $2, $3}' index > "$tmp/here"
      cut -d ' ' -f 1 "$tmp/here" > "$tmp/numbers"
      sed -n "/^$(sed -n 1p "$tmp/numbers")$/,/^$(sed -n '$p' "$tmp/numbers")$/p" "$tmp/sealed" |
        cmp -s - "$tmp/numbers" && [ -s "$tmp/here" ] || echo "BAD: $place: a segment was left out, or put there"
      [ "$(find "$place" -name '*.manifest' | wc -l)" = "$(wc -l < "$tmp/here")" ] ||
        echo "BAD: $place: there are more manifests, or fewer, than in the index"
      while read -r number entry; do
        manifest=$place/$(printf %08d "$number").manifest line=$((10 * 10#$entry + 7))
        key=$(sed -n "$((line > 9 ? line - 9 : 1))s/^next //p" ledger/entries)  # of the entry before
        [ "$(sed -n "${line}p" ledger/entries)" = "seal $id $number sha256:$(sum < "$manifest")" ] &&
          signed "$manifest" "$key" || echo "BAD: $manifest"
        # 4. its blocks: all that can have records of these times, and each is what the manifest says
        awk -v since="$since" -v until="$until" -v place="${manifest%.manifest}" 'BEGIN {n = 0} /^time / {end = $3}
          /^block / {at[n] = $2; time[n] = $5; hash[n++] = substr($6, 8)}
          END {time[n] = end; for (i = 0; i < n; i++) if (time[i] <= until && time[i + 1] >= since)
            printf "%s  %s/%09d\n", hash[i], place, at[i]}' "$manifest" > "$tmp/blocks"
        [ "$(find "$place" -path "*/$(printf %08d "$number")/*" | wc -l)" = "$(wc -l < "$tmp/blocks")" ] &&
          { ! [ -s "$tmp/blocks" ] || sha256sum --status -c "$tmp/blocks" 2> /dev/null; } ||
          echo "BAD: the blocks of $manifest"
      done < "$tmp/here"
      first=$place/$(printf %08d "$(sed -n 1p "$tmp/numbers")").manifest
      last=$place/$(printf %08d "$(sed -n '$p' "$tmp/numbers")").manifest
      [[ $(sed -n 's/^time \([^ ]*\) .*/\1/p' "$first") < $since ]] || grep -q '^records [0-9]* 0$' "$first" ||
        echo "note: $place does not reach back to the beginning of the range: older records may be missing"
      [[ $(sed -n 's/^time [^ ]* //p' "$last") > $until ]] ||
        echo "note: $place does not reach to the end of the range: newer records may be missing"
      # 5. the text: all records of the blocks that were received in these times; and the names of the stream
      for segment in "$place"/*/; do
        [ -d "$segment" ] || continue
        [ -f "${segment%/}.manifest" ] || echo 'blocks that no manifest names'  # the text has no such line
        cat "$segment"* | cut -b 1-27 > "$tmp/times"
        lines=$(awk -v since="$since" -v until="$until" '$1 >= since && $1 <= until {print NR}' "$tmp/times" |
          sed -n '1p;$p' | paste -s -d ,)
        if [ "$lines" ]; then cat "$segment"* | sed -n "${lines}p"; fi
      done | cmp -s - "$place/text" || echo "BAD: $place/text"
      found=$({ printf "$(printf %s "$salt" | sed 's/../\\x&/g')"
        printf "\\x$(printf %02x ${#qube})\\x00$qube\\x$(printf %02x ${#stream})\\x00$stream"; } | sum)
      [ "$found" = "$id" ] || echo "BAD: $qube/$stream is not its name, or that cannot be proven"
    done
    echo "sealed by: $(sed -n 's/^time //p' ledger/entries | sort | tail -n 1)"
    echo "fingerprint: $(printf %s "$genesis" | sum)"
    )

What this leaves out, and 'logchain verify' looks at: that the numbers of records go on from segment to segment, and
the proofs of the tree.

WHAT IT PROVES, AND WHAT NOT

It proves that the store with that fingerprint received these lines, in this order within each stream, at these times by
its own clock; and that nobody changed them since their segment was sealed, not even whoever has the store now: the keys
of then are gone. Within the times asked for nothing is left out of a stream, as far as its manifests reach, unless the
store's clock was set back in between.

It does not prove that what the lines say is true. It does not prove who was in control of the store's machine before
the segments were sealed, or that its clock was right: whoever had it by then can have made up lines, of any times. It
does not show what was never received, what is not sealed yet, and streams that were not asked for. It does not prove
that this ledger is the only one that grew out of its first entry: compare the number and SHA-256 of its entries with
what others have of it, or with a witness.
"""
