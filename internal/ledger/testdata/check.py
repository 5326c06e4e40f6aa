#!/usr/bin/env python3
"""Checks what FORMAT.md describes, from what stands there alone: python3 check.py FILE...

A FILE is vectors.json, or a proof that `muniment prove` wrote. It needs nothing but
Python; signatures are checked with openssl (1.1.1 or later). Exit code 0: all of it holds.
"""

import base64
import hashlib
import hmac
import json
import re
import subprocess
import sys
import tempfile


def fail(what):
    sys.exit("does not hold: " + what)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def leaf_hash(salt, canonical):
    if len(salt) != 32:
        fail("a salt of %d bytes" % len(salt))
    return sha256(b"\0", salt, canonical)


def node_hash(left, right):
    return sha256(b"\1", left, right)


def head(leaves):
    """The Merkle tree hash of RFC 6962, section 2.1."""
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while 2 * half < len(leaves):
        half *= 2
    return node_hash(head(leaves[:half]), head(leaves[half:]))


def root_from(path, index, size, leaf):
    """The head to which an audit path leads: RFC 9162, section 2.1.3.2."""
    if not 0 <= index < size:
        fail("there is no leaf %d of %d" % (index, size))
    at, last, h = index, size - 1, leaf
    for p in path:
        if last == 0:
            fail("the path is too long")
        if at & 1 or at == last:
            h = node_hash(p, h)
            while at & 1 == 0 and at != 0:
                at, last = at >> 1, last >> 1
        else:
            h = node_hash(h, p)
        at, last = at >> 1, last >> 1
    if last != 0:
        fail("the path is too short")
    return h


def line(name, value):
    return name.encode() + b" %d:" % len(value) + value + b"\n"


def sealed_line(name, digest):
    return name.encode() + b" sha256:" + digest.hex().encode() + b"\n"


def open_note(signed, key):
    """The text of a signed note, C2SP signed-note, once its signature is checked."""
    name, key_hash, encoded = key.split("+", 2)
    raw = base64.b64decode(encoded)
    if raw[0] != 1 or len(raw) != 33:
        fail("the key is not one of Ed25519")
    if sha256(name.encode() + b"\n" + raw)[:4].hex() != key_hash:
        fail("the key's hash is not that of the key")
    text, signatures = signed.rsplit("\n\n", 1)
    text += "\n"
    for s in signatures.splitlines():
        m = re.fullmatch("\u2014 (\\S+) (\\S+)", s)
        if not m or m[1] != name:
            continue
        signature = base64.b64decode(m[2])
        if signature[:4].hex() == key_hash:
            check_signature(raw[1:], text.encode(), signature[4:])
            return text
    fail("no signature of that key")


def check_signature(public, message, signature):
    der = bytes.fromhex("302a300506032b6570032100") + public
    with tempfile.NamedTemporaryFile() as k, tempfile.NamedTemporaryFile() as m, tempfile.NamedTemporaryFile() as s:
        for f, content in ((k, der), (m, message), (s, signature)):
            f.write(content)
            f.flush()
        done = subprocess.run(
            ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", k.name, "-rawin", "-in", m.name, "-sigfile", s.name],
            capture_output=True, check=False)
    if done.returncode != 0:
        fail("the signature: " + done.stderr.decode().strip())


def proved_hash(p):
    """The hash of the leaf of which a proof shows what it commits to."""
    canonical = p["form"].encode() + b"\n"
    for f in p["facts"]:
        if not re.fullmatch("[a-z]+(-[a-z]+)*", f["name"]):
            fail("a fact called %r" % f["name"])
        value = f["value"].encode() if "value" in f else base64.b64decode(f["bytes"]) if "bytes" in f else None
        if value is None:
            canonical += sealed_line(f["name"], bytes.fromhex(f["sha256"]))
        elif "salt" in f:
            salt = bytes.fromhex(f["salt"])
            if len(salt) != 32:
                fail("a salt of %d bytes" % len(salt))
            canonical += sealed_line(f["name"], sha256(salt, value))
        else:
            canonical += line(f["name"], value)
    return leaf_hash(bytes.fromhex(p["salt"]), canonical)


def check_leaf(p, leaf, size, root):
    path = [base64.b64decode(h) for h in p["path"]]
    if root_from(path, p["leaf"], size, leaf) != root:
        fail("leaf %d does not lead to the head that was signed" % p["leaf"])


def check_proof(p):
    name, size, root = open_note(p["checkpoint"], p["public_key"]).split("\n")[:3]
    if name != p["public_key"].split("+")[0]:
        fail("the checkpoint is of another ledger")
    size, root = int(size), base64.b64decode(root)
    record = p["record"]
    if "hash" not in record:
        check_leaf(record, proved_hash(record), size, root)
        return {f["name"]: f.get("value") for f in record["facts"]}
    check_leaf(record, base64.b64decode(record["hash"]), size, root)
    first, stub = open_note(p["stub"], p["public_key"]).split("\n")[:2]
    stub = json.loads(stub)
    if first != "muniment stub 1" or stub["leaf"] != record["leaf"] or stub["hash"] != record["hash"]:
        fail("the stub is of another record")
    if "destruction" in p:
        entry = p["destruction"]
        check_leaf(entry, proved_hash(entry), size, root)
        told = {f["name"]: f["value"] for f in entry["facts"]}
        if told["act"] != "records destroyed" or stub["seq"] not in json.loads(told["about"])["records"]:
            fail("the journal does not tell of the destruction of this record")
    return stub


def check_leaf_vector(v, canonical):
    if canonical.hex() != v["canonical"]:
        fail("canonical bytes:\n%r\n%r" % (canonical, bytes.fromhex(v["canonical"])))
    if leaf_hash(bytes.fromhex(v["salt"]), canonical).hex() != v["leaf"]:
        fail("a leaf")


def check_vectors(v):
    for r in v["records"]:
        def salt(name):
            return hmac.new(bytes.fromhex(r["secret"]), name.encode(), hashlib.sha256).digest()
        canonical = b"muniment record 2\n"
        for f in r["facts"]:
            value = bytes.fromhex(f["value"])
            canonical += sealed_line(f["name"], sha256(salt(f["name"]), value)) if f["sealed"] else line(f["name"], value)
        if salt("leaf").hex() != r["salt"]:
            fail("the salt of a leaf")
        check_leaf_vector(r, canonical)
    for r in v["records_of_form_1"]:
        check_leaf_vector(r, bytes.fromhex(r["canonical"]))
    for e in v["journal"]:
        canonical = b"muniment journal 1\n" + b"".join(
            line(name, str(e[name]).encode()) for name in ("id", "at", "who", "act", "reason", "about"))
        check_leaf_vector(e, canonical)
    for q in v["quotations"]:
        canonical = b"muniment quotation 1\n" + line("salt", bytes.fromhex(q["salt"])) + line("origin", bytes.fromhex(q["origin"]))
        canonical += line("id", q["id"].encode()) + line("sender", q["sender"].encode())
        canonical += line("text", q["text"].encode()) + line("protobuf", bytes.fromhex(q["protobuf"]))
        if sha256(canonical).hex() != q["digest"]:
            fail("the digest of a quotation")
    leaves = [bytes.fromhex(h) for h in v["tree"]["leaves"]]
    for n, h in enumerate(v["tree"]["heads"], 1):
        if head(leaves[:n]).hex() != h:
            fail("the head of %d leaves" % n)


for path in sys.argv[1:] or sys.exit(__doc__):
    with open(path, encoding="utf-8") as f:
        content = json.load(f)
    if "muniment_proof" in content:
        print(path, "holds:", json.dumps(check_proof(content), ensure_ascii=False))
    else:
        check_vectors(content)
        print(path, "holds")
