#!/usr/bin/env python3
"""Checks an export package with nothing but Python 3.6 or later; no package, no network, nothing is changed.

    python3 verify/verify.py [FOLDER] [--key FINGERPRINT]

FOLDER: the package; without it, the one this file lies in. FINGERPRINT: of the signing key, as the bureau told it by
another way (64 hex digits). Without it this shows that nothing was changed since the signature, but not whose it is.
Ends with 0 where the package is whole, with 1 where it is not; each fault is one line.

What is checked: every file is listed once and has its digest; the signature over the list; the signed head of the
bureau's log; that the log under this head tells of each original's taking in, under the digest it has here, and of
this export with this list of files; that list.csv and the records tell of the same digests; older heads that a witness
signed, and that the log grew from them; the SM2 signatures, where this Python has SM3. Of a timestamp it sees only
whether it names the digest of its head: its signature and certificate need openssl, and so verify.sh.
Sources: RFC 8493 (BagIt), RFC 8032 (Ed25519), RFC 9162 2.1 (Merkle tree), GB/T 32918.2 (SM2), C2SP signed-note,
tlog-checkpoint, tlog-proof, tlog-cosignature, tlog-witness.
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
import time

PIECE_BYTES = 1 << 20
MANIFEST, TAG_MANIFEST = "manifest-sha256.txt", "tagmanifest-sha256.txt"
SIGNATURE = "verify/tagmanifest.ed25519.sig"
KEY, CHECKPOINT = "verify/keys/log.pem", "verify/checkpoint.note"
LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9_][A-Za-z0-9_./-]*)")
ORIGINAL = re.compile(r"data/([0-9]{4,})_[^/]+")
DASH = "\u2014"
ED25519_DER = bytes(bytearray.fromhex("302a300506032b6570032100"))
SM2_DER = bytes(bytearray.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200"))
SM2_KEY, SM2_SIGNATURE = "verify/keys/log-sm2.pem", "verify/tagmanifest.sm2.sig"
SM2_HEAD_SIGNATURE = "verify/checkpoint.note.sm2.sig"
TIMESTAMP_CA = "verify/keys/timestamp-ca.pem"
HEADS = "verify/heads/"
HEAD_FILE = re.compile(r"verify/heads/([1-9][0-9]{0,17})\.(note|consistency|cosigned\.note|note\.tsr)")

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
    "sm2": ("SM2 签名不符", "the SM2 signature does not hold"),
    "growth": ("无法证明日志只增不改", "is not proved to be the beginning of this log"),
    "cosignature": ("见证签名不符", "the signature of a witness does not hold"),
    "token": ("时间戳不是为此日志头签发的", "the timestamp is not over this head"),
    "alone": ("没有第二方签名", "nobody but the bureau signed it"),
    "untold": ("签名的日志未提及此文件", "what the bureau signed does not tell of it"),
    "other_key": ("公钥与所给指纹不一致", "it is not the key you named"),
    "unreadable": ("无法读取", "cannot be read"),
}


class Found:
    """What a check found. faults: (code, where); notes: (zh, en); key: the fingerprint of the signing key.

    parties: what second parties signed, and holds, as notes; keys: (zh, en) of theirs, to be compared.
    """

    def __init__(self):
        self.faults = []
        self.notes = []
        self.parties = []
        self.keys = []
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


def has_grown(old, old_root, new, new_root, path):
    """Whether the tree of `old` lines is the beginning of the one of `new`; RFC 9162, 2.1.4.2."""
    if not 0 < old < new:
        return False
    steps = list(path)
    if not old & (old - 1):
        steps.insert(0, old_root)
    if not steps:
        return False
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    was = now = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            was = hashlib.sha256(b"\1" + step + was).digest()
            now = hashlib.sha256(b"\1" + step + now).digest()
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            now = hashlib.sha256(b"\1" + now + step).digest()
        place, last = place >> 1, last >> 1
    return last == 0 and was == old_root and now == new_root


# -- SM2, GB/T 32918.2, verification only, with the default identity of GB/T 35276

SM2_P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
SM2_B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
SM2_N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
SM2_G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)


def _sm2_double(point):
    x, y, z = point
    if not y or not z:
        return (1, 1, 0)
    yy = y * y % SM2_P
    s = 4 * x * yy % SM2_P
    zz = z * z % SM2_P
    m = 3 * (x - zz) * (x + zz) % SM2_P
    t = (m * m - 2 * s) % SM2_P
    return (t, (m * (s - t) - 8 * yy * yy) % SM2_P, 2 * y * z % SM2_P)


def _sm2_add(one, other):
    if not one[2]:
        return other
    if not other[2]:
        return one
    z1, z2 = one[2] * one[2] % SM2_P, other[2] * other[2] % SM2_P
    u1, u2 = one[0] * z2 % SM2_P, other[0] * z1 % SM2_P
    s1, s2 = one[1] * z2 * other[2] % SM2_P, other[1] * z1 * one[2] % SM2_P
    if u1 == u2:
        return _sm2_double(one) if s1 == s2 else (1, 1, 0)
    h, r = u2 - u1, s2 - s1
    hh = h * h % SM2_P
    hhh, v = h * hh % SM2_P, u1 * hh % SM2_P
    x = (r * r - hhh - 2 * v) % SM2_P
    return (x, (r * (v - x) - s1 * hhh) % SM2_P, h * one[2] * other[2] % SM2_P)


def _sm2_integer(number):
    data = number.to_bytes(number.bit_length() // 8 + 1, "big")
    return b"\2" + bytes(bytearray([len(data)])) + data


def _sm2_numbers(signature):
    """(r, s) of a signature as DER in its one form; zeros where it is none."""
    if not 8 <= len(signature) <= 72 or len(signature) <= 5 + signature[3]:
        return (0, 0)
    r = int.from_bytes(signature[4 : 4 + signature[3]], "big")
    s = int.from_bytes(signature[6 + signature[3] :], "big")
    body = _sm2_integer(r) + _sm2_integer(s) if r < SM2_N and s < SM2_N else b""
    return (r, s) if signature == b"\x30" + bytes(bytearray([len(body)])) + body else (0, 0)


def is_signed_by_sm2(public, signature, data):
    """Whether the SM2 key with this point (65 bytes) signed the data. Needs SM3."""
    x, y = int.from_bytes(public[1:33], "big"), int.from_bytes(public[33:], "big")
    if len(public) != 65 or public[0] != 4 or x >= SM2_P or (y * y - (x * x - 3) * x - SM2_B) % SM2_P:
        return False
    r, s = _sm2_numbers(signature)
    t = (r + s) % SM2_N
    if not r or not s or not t:
        return False
    numbers = (SM2_P - 3, SM2_B, SM2_G[0], SM2_G[1])
    who = b"\0\x80" + b"12345678" * 2 + b"".join(one.to_bytes(32, "big") for one in numbers) + public[1:]
    digest = hashlib.new("sm3", hashlib.new("sm3", who).digest() + data).digest()
    generator, point = (SM2_G[0], SM2_G[1], 1), (x, y, 1)
    both, found = _sm2_add(generator, point), (1, 1, 0)
    for bit in range(255, -1, -1):
        found = _sm2_double(found)
        choice = (s >> bit & 1) + 2 * (t >> bit & 1)
        if choice:
            found = _sm2_add(found, (None, generator, point, both)[choice])
    if not found[2]:
        return False
    shown = found[0] * pow(found[2], 2 * SM2_P - 4, SM2_P) % SM2_P
    return (int.from_bytes(digest, "big") + shown - r) % SM2_N == 0


# -- forms


def _from_base64(text):
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise Bad("base64")
    if base64.b64encode(data).decode() != text:
        raise Bad("base64")
    return data


def read_key(data, start=ED25519_DER, length=32):
    """The bytes of the public key in this PEM file, 32 of Ed25519 and 65 of SM2."""
    lines = data.decode("ascii", "replace").split("\n")
    if len(lines) < 4 or lines[0] != "-----BEGIN PUBLIC KEY-----" or lines[-2:] != ["-----END PUBLIC KEY-----", ""]:
        raise Bad("pem")
    der = _from_base64("".join(lines[1:-2]))
    if len(der) != len(start) + length or der[: len(start)] != start or max(map(len, lines[1:-2])) > 64:
        raise Bad("der")
    return der[len(start) :]


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


def read_note(data):
    """(text, [(name, bytes) of each signature]) of a signed note."""
    whole = data.decode("utf-8", "replace")
    text, gap, signed = whole.rpartition("\n\n")
    if not gap or not signed.endswith("\n"):
        raise Bad("note")
    signatures = []
    for line in signed[:-1].split("\n"):
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != DASH:
            raise Bad("note")
        signatures.append((parts[1], _from_base64(parts[2])))
    return text + "\n", signatures


class Head:
    """What a signed head says: the log, how many lines, the root over them, and the words after that."""

    def __init__(self, text):
        lines = text.split("\n")
        if len(lines) < 4 or not re.fullmatch("0|[1-9][0-9]{0,17}", lines[1]):
            raise Bad("note")
        self.origin, self.size, self.root = lines[0], int(lines[1]), _from_base64(lines[2])
        self.words = dict(line.partition(" ")[::2] for line in reversed(lines[3:-1]))
        if len(self.root) != 32:
            raise Bad("note")


def read_head(data, public):
    """(head, names of other signers) of a checkpoint that this key signed."""
    text, signatures = read_note(data)
    head = Head(text)
    key_id = hashlib.sha256(head.origin.encode() + b"\n\x01" + public).digest()[:4]
    others, own = [], False
    for name, blob in signatures:
        if name == head.origin and blob[:4] == key_id:
            if not is_signed(public, blob[4:], text.encode()):
                raise Bad("note")
            own = True
        else:
            others.append(name)
    if not own:
        raise Bad("note")
    return head, others


def read_growth(data):
    """(size, hashes, checkpoint) of the proof that a log of this size grew to the one under the checkpoint."""
    top, gap, note = data.partition(b"\n\n")
    lines = top.decode("ascii", "replace").split("\n")
    if not gap or not re.fullmatch("old [1-9][0-9]{0,17}", lines[0]):
        raise Bad("growth")
    path = [_from_base64(line) for line in lines[1:]]
    if any(len(step) != 32 for step in path):
        raise Bad("growth")
    return int(lines[0][4:]), path, note


def read_proof(data):
    """(index, hashes, checkpoint) of a tlog-proof."""
    top, gap, note = data.partition(b"\n\n")
    lines = top.decode("ascii", "replace").split("\n")
    if not gap or len(lines) < 2 or lines[0] != "c2sp.org/tlog-proof@v1":
        raise Bad("proof")
    if not re.fullmatch("index (0|[1-9][0-9]{0,17})", lines[1]):
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
    # These sign the list, and so cannot be on it; whether the second must be here is said by the head of the log.
    unsigned = {TAG_MANIFEST, SIGNATURE, SM2_SIGNATURE}
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
        head, others = read_head(note, public)
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
            if line[-1:] != b"\n" or under != note or not is_in_tree(line[:-1], index, head.size, path, head.root):
                raise Bad("proof")
            event = json.loads(line.decode())
            if event["seq"] != index + 1:
                raise Bad("proof")
            return event
        except (Bad, OSError, ValueError, KeyError):
            found.fault("proof", "verify/events/%s.jsonl" % number)
            return None

    originals, entries = {}, []
    for name, digest in sorted(listed.items()):
        match = ORIGINAL.fullmatch(name)
        if match is None:
            continue
        number = match.group(1)
        originals[number] = (name, digest)
        event = proved(number)
        if event is not None:
            entries.append(event["seq"])
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
        _check_heads(package, found, head, note, facts.get("second_party", []), entries)
    _check_rows(package, found, originals)
    _check_sm3(package, found, listed)
    _check_sm2(package, found, head)


def _check_heads(package, found, head, note, told, entries):
    """Who else signed the log. told: the sizes of the heads that the export's event names; entries: of the originals."""
    for name in sorted(package.names(Found())):
        match = HEAD_FILE.fullmatch(name)
        if name.startswith(HEADS) and (match is None or int(match.group(1)) not in told):
            found.fault("untold", name)
    newest = 0
    for size in told:
        signed = _check_head(package, found, head, note, size, entries)
        newest = max(newest, size if signed else 0)
    alone = sum(entry > newest for entry in entries)
    if not told:
        found.notes.append(
            (
                "没有第二方签名：日志中有什么、何时记入，只由本单位自己的密钥证明",
                "no second party has signed: only this bureau's own key proves what is in its log, and since when",
            )
        )
    elif alone:
        found.notes.append(
            (
                "%d 件没有见证签名，只由本单位自己的密钥及 verify.sh 所验的时间戳（如有）证明" % alone,
                "for %d originals no witness signed: only this bureau's own key, and a timestamp where verify.sh names "
                "one, proves it" % alone,
            )
        )


def _check_head(package, found, head, note, size, entries):
    """Whether a witness's signature over this older head holds."""
    place = HEADS + "%d" % size
    try:
        data = package.read(place + ".note")
        text = read_note(data)[0]
        older = Head(text)
        old, path, under = read_growth(package.read(place + ".consistency"))
        if (older.origin, older.size, old, under) != (head.origin, size, size, note):
            raise Bad("growth")
        if not has_grown(size, older.root, head.size, head.root, path):
            raise Bad("growth")
    except (Bad, OSError):
        found.fault("growth", place + ".note")
        return False
    signed, stamped = False, os.path.isfile(package.path(place + ".note.tsr"))
    if os.path.isfile(package.path(place + ".cosigned.note")):
        signed = _check_cosigned(package, found, place + ".cosigned.note", data, size, entries)
    elif not stamped:
        found.fault("alone", place + ".note")
    if stamped:
        _check_token(package, found, place + ".note.tsr", data, size)
    return signed


def _check_cosigned(package, found, name, data, size, entries):
    try:
        cosigned = package.read(name)
        text, signatures = read_note(cosigned)
        given = signatures[len(read_note(data)[1]) :]
        if cosigned[: len(data)] != data or not given:
            raise Bad("cosignature")
        for who, blob in given:
            pem = "verify/keys/witness-%s.pem" % binascii.hexlify(blob[:4]).decode()
            public = read_key(package.read(pem))
            at_s = int.from_bytes(blob[4:12], "big")
            message = "cosignature/v1\ntime %d\n%s" % (at_s, text)
            if (
                len(blob) != 76
                or at_s >> 48
                or hashlib.sha256(who.encode() + b"\n\x04" + public).digest()[:4] != blob[:4]
                or not is_signed(public, blob[12:], message.encode())
            ):
                raise Bad("cosignature")
            _tell_witness(found, who, at_s, size, entries)
            key = ("%s  %s" % (hashlib.sha256(public).hexdigest(), pem),) * 2
            if key not in found.keys:
                found.keys.append(key)
    except (Bad, OSError):
        found.fault("cosignature", name)
        return False
    return True


def _tell_witness(found, who, at_s, size, entries):
    at = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at_s)) if at_s < 1 << 37 else "%d" % at_s
    counted = sum(entry <= size for entry in entries)
    found.parties.append(
        (
            "见证 %s 于 %s 为日志前 %d 条签名，本包 %d 件原始文件中有 %d 件在其中"
            % (who, at, size, len(entries), counted),
            "the witness %s signed for the first %d entries of the log at %s; %d of the %d originals were in it"
            % (who, size, at, counted, len(entries)),
        )
    )


def _check_token(package, found, name, data, size):
    """The token holds the digest of the head it is over; nothing else of it is checked here."""
    token = package.read(name)
    names = [one for one in ("sha256", "sm3") if one in hashlib.algorithms_available]
    if not any(hashlib.new(one, data).digest() in token for one in names) and "sm3" in names:
        found.fault("token", name)
    if not os.path.isfile(package.path(TIMESTAMP_CA)):
        found.fault("lost", TIMESTAMP_CA)
    found.notes.append(
        (
            "日志前 %d 条另有时间戳 %s：此处未核验，请用 verify.sh 核验" % (size, name),
            "there is a timestamp over the first %d entries, %s: not checked here, use verify.sh" % (size, name),
        )
    )


def _check_sm2(package, found, head):
    named = head.words.get("sm2")
    files = (SM2_KEY, SM2_SIGNATURE, SM2_HEAD_SIGNATURE)
    if named is None:
        for name in files:
            if os.path.lexists(package.path(name)):
                found.fault("untold", name)
        return
    try:
        public = read_key(package.read(SM2_KEY), SM2_DER, 65)
        signatures = [(package.read(SM2_SIGNATURE), TAG_MANIFEST), (package.read(SM2_HEAD_SIGNATURE), CHECKPOINT)]
    except (Bad, OSError):
        found.fault("sm2", SM2_KEY)
        return
    if hashlib.sha256(public).hexdigest() != named:
        found.fault("sm2", SM2_KEY)
        return
    if "sm3" not in hashlib.algorithms_available:
        found.notes.append(
            (
                "此 Python 不支持 SM3，SM2 签名未核验，请用 verify.sh 核验",
                "this Python has no SM3; the SM2 signatures are not checked here, use verify.sh",
            )
        )
        return
    for signature, name in signatures:
        if not is_signed_by_sm2(public, signature, package.read(name)):
            found.fault("sm2", name)
    found.notes.append(
        ("SM2 签名相符，公钥 " + named, "the SM2 signatures hold, key " + named)
        if not any(code == "sm2" for code, _ in found.faults)
        else ("SM2 签名不符", "the SM2 signatures do not hold")
    )


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
    lines += [note[which] for note in found.parties + found.notes]
    if found.key:
        lines.append(("签名公钥指纹 " if chinese else "fingerprint of the signing key ") + found.key)
    for key in found.keys:
        lines.append(
            ("见证公钥指纹（请向见证人核对）" if chinese else "key of a witness, to be compared with him ") + key[which]
        )
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
