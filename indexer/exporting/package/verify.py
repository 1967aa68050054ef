#!/usr/bin/env python3
"""Checks an export package with nothing but Python 3.6 or later; no package, no network, nothing is changed.

    python3 verify/verify.py [FOLDER] [--key FINGERPRINT]

FOLDER: the package; without it, the one this file lies in. FINGERPRINT: of the signing key, as the bureau told it by
another way (64 hex digits). Without it this shows that nothing was changed since the signature, but not whose it is.
Ends with 0 where the package is whole, with 1 where it is not; each fault is one line.

What is checked: every file is listed once and has its digest; the signature over the list; the signed head of the
bureau's log; that the log under this head tells of each original's taking in, under the digest it has here, and of
this export with this list of files; that list.csv and the records tell of the same digests.
Sources: RFC 8493 (BagIt), RFC 8032 (Ed25519), RFC 9162 2.1 (Merkle tree), C2SP signed-note, tlog-checkpoint, tlog-proof.
"""

import base64
import binascii
import csv
import hashlib
import io
import json
import os
import re
import stat
import sys

PIECE_BYTES = 1 << 20
MANIFEST, TAG_MANIFEST = "manifest-sha256.txt", "tagmanifest-sha256.txt"
SIGNATURE = "verify/tagmanifest.ed25519.sig"
KEY, CHECKPOINT = "verify/keys/log.pem", "verify/checkpoint.note"
LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9_][A-Za-z0-9_./-]*)")
ORIGINAL = re.compile(r"data/([0-9]{4,})_[^/]+")
DASH = "\u2014"
ED25519_DER = bytes(bytearray.fromhex("302a300506032b6570032100"))

TEXTS = {
    "no_bag": ("这不是导出包，缺少", "this is no export package; it lacks"),
    "unlisted": ("多出文件", "not listed"),
    "lost": ("缺少文件", "missing"),
    "odd": ("不是普通文件", "not a plain file"),
    "digest": ("校验值不符", "does not have its digest"),
    "list": ("清单格式不符", "the list is not in its one form"),
    "signature": ("签名不符", "the signature does not hold"),
    "key": ("公钥无法使用", "not a usable public key"),
    "head": ("日志签名不符", "the signed head of the log does not hold"),
    "proof": ("日志中无此事件", "is not proved to be in the log"),
    "event": ("事件与文件不符", "the event in the log tells of something else"),
    "record": ("入库记录与文件不符", "the record tells of something else"),
    "row": ("list.csv 与文件不符", "list.csv tells of something else"),
    "sm3": ("SM3 不符", "does not have its SM3 digest"),
    "other_key": ("公钥与所给指纹不一致", "it is not the key you named"),
    "unreadable": ("无法读取", "cannot be read"),
}


class Found:
    """What a check found. faults: (code, where); notes: (zh, en); key: the fingerprint of the signing key."""

    def __init__(self):
        self.faults = []
        self.notes = []
        self.key = ""
        self.files = 0
        self.originals = 0
        self.export = ""

    def fault(self, code, where):
        self.faults.append((code, where))

    @property
    def whole(self):
        return not self.faults


class Bad(Exception):
    """Something is not in its one form."""


# -- Ed25519, RFC 8032, verification only

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)


def _add(one, other):
    a = (one[1] - one[0]) * (other[1] - other[0]) % P
    b = (one[1] + one[0]) * (other[1] + other[0]) % P
    c = 2 * one[3] * other[3] * D % P
    d = 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def _double_times(first, point, second, other):
    """first * point + second * other"""
    both = _add(point, other)
    found = (0, 1, 1, 0)
    for bit in range(255, -1, -1):
        found = _add(found, found)
        choice = (first >> bit & 1) + 2 * (second >> bit & 1)
        if choice:
            found = _add(found, (None, point, other, both)[choice])
    return found


def _point(data):
    """The point in these 32 bytes; None where they are none or not in their one form."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_1 % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


def _bytes_of(point):
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


BASE = _point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def is_signed(public, signature, data):
    """Whether this Ed25519 key signed the data; other spellings of a signature are refused."""
    if len(public) != 32 or len(signature) != 64:
        return False
    point = _point(public)
    s = int.from_bytes(signature[32:], "little")
    if point is None or s >= L:
        return False
    challenge = hashlib.sha512(signature[:32] + public + data).digest()
    k = int.from_bytes(challenge, "little") % L
    minus = (P - point[0], point[1], 1, P - point[3])
    return _bytes_of(_double_times(s, BASE, k, minus)) == signature[:32]


# -- Merkle tree, RFC 9162, 2.1.3.2


def is_in_tree(line, index, size, path, root):
    """Whether the path leads from this line, counted from 0, to the root over so many lines."""
    if not 0 <= index < size:
        return False
    place, last, found = index, size - 1, hashlib.sha256(b"\0" + line).digest()
    for step in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = hashlib.sha256(b"\1" + step + found).digest()
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = hashlib.sha256(b"\1" + found + step).digest()
        place, last = place >> 1, last >> 1
    return last == 0 and found == root


# -- forms


def _from_base64(text):
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise Bad("base64")
    if base64.b64encode(data).decode() != text:
        raise Bad("base64")
    return data


def read_key(data):
    """The 32 bytes of the Ed25519 public key in this PEM file."""
    lines = data.decode("ascii", "replace").split("\n")
    if len(lines) != 4 or lines[0] != "-----BEGIN PUBLIC KEY-----" or lines[2:] != ["-----END PUBLIC KEY-----", ""]:
        raise Bad("pem")
    der = _from_base64(lines[1])
    if len(der) != 44 or der[:12] != ED25519_DER:
        raise Bad("der")
    return der[12:]


def read_list(data):
    """name -> digest of a list as sha256sum writes it, sorted, each name once."""
    listed = {}
    text = data.decode("ascii", "replace")
    if text and not text.endswith("\n"):
        raise Bad("list")
    for line in text.split("\n")[:-1]:
        match = LINE.fullmatch(line)
        if match is None or match.group(2) in listed or ".." in match.group(2).split("/"):
            raise Bad("list")
        listed[match.group(2)] = match.group(1)
    if list(listed) != sorted(listed):
        raise Bad("list")
    return listed


def read_head(data, public):
    """(size, root, names of other signers) of a checkpoint that this key signed."""
    whole = data.decode("utf-8", "replace")
    text, gap, signed = whole.rpartition("\n\n")
    text += "\n"
    lines = text.split("\n")
    if not gap or not signed.endswith("\n") or len(lines) < 4 or not re.fullmatch("0|[1-9][0-9]*", lines[1]):
        raise Bad("note")
    origin, size, root = lines[0], int(lines[1]), _from_base64(lines[2])
    key_id = hashlib.sha256(origin.encode() + b"\n\x01" + public).digest()[:4]
    others, own = [], False
    for line in signed[:-1].split("\n"):
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != DASH:
            raise Bad("note")
        blob = _from_base64(parts[2])
        if parts[1] == origin and blob[:4] == key_id:
            if not is_signed(public, blob[4:], text.encode()):
                raise Bad("note")
            own = True
        else:
            others.append(parts[1])
    if not own or len(root) != 32:
        raise Bad("note")
    return size, root, others


def read_proof(data):
    """(index, hashes, checkpoint) of a tlog-proof."""
    top, gap, note = data.partition(b"\n\n")
    lines = top.decode("ascii", "replace").split("\n")
    if not gap or len(lines) < 2 or lines[0] != "c2sp.org/tlog-proof@v1":
        raise Bad("proof")
    if not re.fullmatch("index (0|[1-9][0-9]*)", lines[1]):
        raise Bad("proof")
    path = [_from_base64(line) for line in lines[2:]]
    if any(len(step) != 32 for step in path):
        raise Bad("proof")
    return int(lines[1][6:]), path, note


# -- the package


class Package:
    """A package's files. folder: where it lies."""

    def __init__(self, folder):
        self.folder = folder

    def names(self, found):
        """Every file, as a name with `/` between its parts; what is no plain file is a fault."""
        names = []
        for folder, subfolders, files in os.walk(self.folder):
            for name in sorted(subfolders + files):
                path = os.path.join(folder, name)
                said = os.path.relpath(path, self.folder).replace(os.sep, "/")
                mode = os.lstat(path).st_mode
                if stat.S_ISDIR(mode):
                    if not os.listdir(path):
                        found.fault("unlisted", said)
                elif stat.S_ISREG(mode):
                    names.append(said)
                else:
                    found.fault("odd", said)
        return names

    def path(self, name):
        return os.path.join(self.folder, *name.split("/"))

    def read(self, name):
        with open(self.path(name), "rb") as stream:
            return stream.read()

    def digest(self, name, algorithm="sha256"):
        digest = hashlib.new(algorithm)
        with open(self.path(name), "rb") as stream:
            for piece in iter(lambda: stream.read(PIECE_BYTES), b""):
                digest.update(piece)
        return digest.hexdigest()


def check(folder, wanted_key=None):
    """Everything about the package in this folder that is not what it must be."""
    found = Found()
    package = Package(folder)
    missing = [
        name
        for name in (MANIFEST, TAG_MANIFEST, SIGNATURE, KEY, CHECKPOINT)
        if not os.path.isfile(package.path(name)) or os.path.islink(package.path(name))
    ]
    for name in missing:
        found.fault("no_bag", name)
    if missing:
        return found
    public = _check_signature(package, found, wanted_key)
    listed = _check_files(package, found)
    if public is not None and listed is not None:
        _check_log(package, found, public, listed)
    return found


def _check_signature(package, found, wanted_key):
    try:
        public = read_key(package.read(KEY))
    except Bad:
        found.fault("key", KEY)
        return None
    found.key = hashlib.sha256(public).hexdigest()
    if wanted_key is not None and re.sub("[: ]", "", wanted_key).lower() != found.key:
        found.fault("other_key", found.key)
    if not is_signed(public, package.read(SIGNATURE), package.read(TAG_MANIFEST)):
        found.fault("signature", TAG_MANIFEST)
    return public


def _check_files(package, found):
    """name -> digest of all listed files; None where a list cannot be read."""
    listed = {}
    for name, is_payload in ((TAG_MANIFEST, False), (MANIFEST, True)):
        try:
            part = read_list(package.read(name))
        except Bad:
            found.fault("list", name)
            return None
        if any(one.startswith("data/") != is_payload for one in part):
            found.fault("list", name)
        listed.update(part)
    here = set(package.names(found))
    unsigned = {TAG_MANIFEST, SIGNATURE}
    for name in sorted(here - unsigned - set(listed)):
        found.fault("unlisted", name)
    for name in sorted(set(listed) - here):
        found.fault("lost", name)
    for name in sorted(here & set(listed)):
        found.files += 1
        try:
            if package.digest(name) != listed[name]:
                found.fault("digest", name)
        except OSError:
            found.fault("unreadable", name)
    return {name: digest for name, digest in listed.items() if name in here}


def _check_log(package, found, public, listed):
    try:
        note = package.read(CHECKPOINT)
        size, root, others = read_head(note, public)
    except Bad:
        found.fault("head", CHECKPOINT)
        return
    for name in others:
        found.notes.append(
            ("日志另有签名，此处未核验: " + name, "the log is also signed by " + name + "; not checked here")
        )

    def proved(number):
        """The event of this number in the package, proved to be in the log; None where it is not."""
        try:
            line = package.read("verify/events/%s.jsonl" % number)
            index, path, under = read_proof(package.read("verify/proofs/%s.tlog-proof" % number))
            if line[-1:] != b"\n" or under != note or not is_in_tree(line[:-1], index, size, path, root):
                raise Bad("proof")
            event = json.loads(line.decode())
            if event["seq"] != index + 1:
                raise Bad("proof")
            return event
        except (Bad, OSError, ValueError, KeyError):
            found.fault("proof", "verify/events/%s.jsonl" % number)
            return None

    originals = {}
    for name, digest in sorted(listed.items()):
        match = ORIGINAL.fullmatch(name)
        if match is None:
            continue
        number = match.group(1)
        originals[number] = (name, digest)
        event = proved(number)
        if event is not None and (
            event["type"] != "arrival.accepted" or event["facts"]["original"]["sha256"] != digest
        ):
            found.fault("event", name)
        try:
            if json.loads(package.read("data/records/%s.json" % number).decode())["sha256"] != digest:
                found.fault("record", name)
        except (OSError, ValueError, KeyError):
            found.fault("record", name)
    found.originals = len(originals)
    export = proved("export")
    if export is not None:
        facts = export["facts"]
        found.export = facts.get("export", "")
        told = (export["type"], facts.get("manifest"), facts.get("files"))
        if told != ("export.sealed", hashlib.sha256(package.read(MANIFEST)).hexdigest(), len(originals)):
            found.fault("event", MANIFEST)
    _check_rows(package, found, originals)
    _check_sm3(package, found, listed)


def _check_rows(package, found, originals):
    try:
        text = package.read("data/list.csv").decode("utf-8-sig")
    except (OSError, ValueError):
        found.fault("row", "data/list.csv")
        return
    rows = list(csv.reader(io.StringIO(text, newline="")))[1:]
    told = {row[0]: (row[2], row[7]) for row in rows if len(row) > 7}
    if told != originals or len(rows) != len(originals):
        found.fault("row", "data/list.csv")


def _check_sm3(package, found, listed):
    if "verify/SM3SUMS" not in listed:
        return
    if "sm3" not in hashlib.algorithms_available:
        found.notes.append(("此 Python 不支持 SM3，未核验", "this Python has no SM3; not checked"))
        return
    for line in package.read("verify/SM3SUMS").decode("ascii", "replace").splitlines():
        digest, _, name = line.partition("  ")
        if name not in listed or package.digest(name, "sm3") != digest:
            found.fault("sm3", name)


def said(found, chinese):
    """What was found, as lines for a person."""
    which = 0 if chinese else 1
    lines = ["%s: %s" % (where, TEXTS[code][which]) for code, where in found.faults]
    lines += [note[which] for note in found.notes]
    if found.key:
        lines.append(("签名公钥指纹 " if chinese else "fingerprint of the signing key ") + found.key)
    if not found.whole:
        lines.append(("不完整：%d 处" if chinese else "NOT WHOLE: %d faults") % len(found.faults))
    elif chinese:
        lines.append("完整：%d 个文件，其中原始文件 %d 件" % (found.files, found.originals))
    else:
        lines.append("whole: %d files, %d of them originals" % (found.files, found.originals))
    return lines


def main(arguments):
    """Runs the check; 0 where the package is whole, 1 where it is not, 2 for wrong use."""
    wanted = None
    if "--key" in arguments:
        at = arguments.index("--key")
        if at + 1 >= len(arguments):
            sys.stderr.write(__doc__)
            return 2
        wanted = arguments[at + 1]
        arguments = arguments[:at] + arguments[at + 2 :]
    if len(arguments) > 1 or any(one.startswith("-") for one in arguments):
        sys.stderr.write(__doc__)
        return 2
    folder = arguments[0] if arguments else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    found = check(folder, wanted)
    chinese = os.environ.get("LC_ALL", os.environ.get("LANG", "")).startswith("zh")
    for line in said(found, chinese):
        sys.stdout.write(
            line.encode(sys.stdout.encoding or "ascii", "backslashreplace").decode(sys.stdout.encoding or "ascii")
            + "\n"
        )
    if found.whole and wanted is None:
        sys.stdout.write("--key FINGERPRINT: compare with one you got by another way\n")
    return 0 if found.whole else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
