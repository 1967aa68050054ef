"""A whole day in two minutes: recordings are dropped, kept, timed, linked, found, matched and checked.

Without a folder it makes its own recordings and ends 0 only if everything it shows really held. With a folder it
drops a copy of that folder instead and ends 0 unless custody failed. It drives the public command line and nothing
else, and prints each command before running it.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import recordings
from recordings import CASE_3, CASE_12, CLIP_FROM_S, CLIP_LENGTH_S, CLIP_OF, Made

ROOT: Final = Path(__file__).resolve().parent.parent
MARKER: Final = ".made-by-the-demonstration"
# Shorter waits than in real use, where a copy over a slow cable may pause for longer.
IMPATIENT: Final = {
    "CASEREEL_SETTLE_QUIET_S": "0.5",
    "CASEREEL_SETTLE_QUIET_NO_LEASE_S": "1",
    "CASEREEL_SETTLE_UNFINISHED_S": "2",
}
KEPT_SECTIONS: Final = ("CASEREEL_MEDIA_", "CASEREEL_INDEX_", "CASEREEL_LOG_", "CASEREEL_VAULT_")
KINDS: Final = {
    "video": "视频",
    "audio": "录音",
    "photo": "照片",
    "document": "文档",
    "sidecar": "伴随文件",
    "other": "其他",
}
STATES: Final = {
    "received": "已看到", "in_custody": "已入库", "searchable": "可检索", "ready": "就绪",
    "attention": "需留意", "failed_custody": "入库失败",
}  # fmt: skip
ROLES: Final = {"proxy": "viewing copy 可播放副本", "poster": "poster 封面", "sprites": "scrub pictures 缩略图",
                "waveform": "waveform 波形", "view": "upright view 预览"}  # fmt: skip
STALLED_S: Final = 600.0
SHOWN_IN_FULL: Final = 100


@dataclass
class Demonstration:
    """The home, the command line on it, and what held of all that was expected."""

    home: Path
    made: bool
    code: int = 0
    said: str = ""
    checks: list[tuple[bool, str, str]] = field(default_factory=list)

    # -- the command line

    def run(self, *arguments: str, shown: bool = True, may_fail: bool = False) -> list[dict[str, Any]]:
        """What a command prints, one dictionary a line; `code` and `said` keep its exit code and standard error."""
        if shown:
            say(f"  $ {self.typed(arguments)}")
        ended = subprocess.run(
            self.command(arguments), cwd=ROOT, env=self.environ, stdin=subprocess.DEVNULL, capture_output=True,
            encoding="utf-8", errors="surrogateescape", check=False,
        )  # fmt: skip
        self.code, self.said = ended.returncode, ended.stderr.rstrip()
        if self.code and not may_fail:
            say(self.said)
            raise SystemExit(f"the command ended with {self.code}")
        return [json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{")]

    def command(self, arguments: Sequence[str]) -> list[str]:
        """The whole command as the system gets it."""
        return [sys.executable, "-m", "workers", "--home", str(self.home), "--json", "--quiet", *arguments]

    def typed(self, arguments: Sequence[str]) -> str:
        """The same as a person would type it, in the folder of the checkout."""
        python = Path(sys.executable)
        program = python.relative_to(ROOT) if python.is_relative_to(ROOT) else python
        home = self.home.relative_to(ROOT) if self.home.is_relative_to(ROOT) else self.home
        return shlex.join([str(program), "-m", "workers", "--home", str(home), *arguments])

    @property
    def environ(self) -> dict[str, str]:
        """The environment without other homes' settings, so that nothing but this home is touched."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("CASEREEL_") or k.startswith(KEPT_SECTIONS)}
        if not self.made and "CASEREEL_TIME_ZONE" in os.environ:
            kept["CASEREEL_TIME_ZONE"] = os.environ["CASEREEL_TIME_ZONE"]
        return {**kept, **IMPATIENT, "PYTHONUTF8": "1"}

    # -- what held

    def expect(self, holds: bool, zh: str, en: str) -> bool:
        """One thing that must hold, for the list at the end."""
        self.checks.append((bool(holds), zh, en))
        return bool(holds)

    def conclude(self) -> int:
        """Prints what held and what did not; the exit code."""
        head("检验结果", "What held")
        for holds, zh, en in self.checks:
            say(f"  {'✓' if holds else '✗'} {padded(zh, 40)} {en}")
        failed = sum(not holds for holds, _, _ in self.checks)
        say()
        if failed:
            say(f"  {failed} 项不成立。 {failed} of {len(self.checks)} did not hold.")
            return 1
        say(f"  {len(self.checks)} 项全部成立。 All {len(self.checks)} held.")
        say(f"  存放于 The home stays at: {self.home}")
        return 0


# -- printing


def say(text: str = "") -> None:
    """One line on standard output, at once."""
    print(text, flush=True)


def head(zh: str, en: str) -> None:
    """The heading of a step."""
    say()
    say(f"── {zh} · {en} " + "─" * max(3, 70 - width(zh) - len(en)))


def width(text: str) -> int:
    """Columns on a terminal: Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)


def padded(text: str, columns: int) -> str:
    """The text and as many spaces as fill the columns."""
    return text + " " * max(0, columns - width(text))


def clock(text: str | None) -> str:
    """An RFC 3339 time as `2021-08-03 10:10:10`."""
    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%S") if text else "—"


def describe(number: int, shown: dict[str, Any], *, about: str = "") -> None:
    """One original: what it is, when, of which case, what to bear in mind, what was made of it."""
    rows = [f"{KINDS[shown['kind']]} {shown['kind']} · {STATES[shown['state']]} {shown['state']} · {shown['size']:,} B"]
    if about:
        rows.insert(0, about)
    say(f"\n  {number:2}  {shown['name']}")
    for row in rows:
        say(f"      {row}")
    decided = shown["time"]
    if decided:
        unsure = decided["uncertainty_s"]
        spread = f"±{unsure:g} s" if unsure < 120 else f"±{unsure / 3600:.2g} h"
        interval = f"{clock(decided['start'])} – {clock(decided['end']).split()[-1]}"
        line("时间 time", f"{interval}  {spread}  ({decided['source']})")
    for link in shown["links"]:
        line("案件 case", f"{link['case']}  ({link['status']}: {link['method']} {link['score']:.2f})")
    for caveat in shown["caveats"]:
        line("注意 note", caveat["text_zh"] or caveat["text"])
        if caveat["text_zh"]:
            line("", caveat["text"])
    roles = list(dict.fromkeys(one["role"] for one in shown["derivatives"] if one["role"] in ROLES))
    if roles:
        line("已生成 made", ", ".join(ROLES[role] for role in roles))


def line(label: str, text: str) -> None:
    """A labelled line below a file's name."""
    say(f"      {padded(label, 12)} {text}")


class Progress:
    """A bar that moves on a terminal; elsewhere a line whenever something changed."""

    def __init__(self) -> None:
        self._last = ""

    def show(self, done: int, total: int) -> None:
        """So many originals of so many have come to rest."""
        filled = 30 * done // max(total, 1)
        text = f"  {'█' * filled}{'░' * (30 - filled)} {done}/{total}"
        if sys.stdout.isatty():
            print(f"\r{text}", end="", flush=True)
        elif text != self._last:
            say(text)
        self._last = text

    def end(self) -> None:
        """Nothing follows."""
        if sys.stdout.isatty():
            say()


# -- the steps


def fresh_home(home: Path) -> None:
    """The folder is gone, or was never there. Ends the program where it holds what the demonstration did not make."""
    if home.exists() and any(home.iterdir()):
        if not (home / MARKER).is_file():
            say(f"{home} 不是演示生成的，不会清空；请用 --home 指定其他文件夹。")
            raise SystemExit(f"{home} was not made by the demonstration: give another with --home")
        shutil.rmtree(home)
    home.mkdir(parents=True, exist_ok=True)
    (home / MARKER).write_text("scripts/demo may empty this folder\n", encoding="utf-8")


def drop(source: Path, inbox: Path, demo: Demonstration) -> list[Path]:
    """Copies what lies in the folder into the inbox, as a clerk would; links are not followed. The copies."""
    copies = []
    for path in sorted(source.rglob("*")):
        if not path.is_file() or path.is_symlink():
            continue
        target = inbox / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copy2(path, target)
            copies.append(target)
        except OSError as error:
            demo.expect(False, f"读取 {path.name}", f"{path} can be read: {error.strerror}")
    return copies


def take_in(demo: Demonstration) -> list[dict[str, Any]]:
    """`watch --once`: every settled file is in custody; prints a line a file and returns the receipts."""
    receipts = demo.run("watch", "--once", may_fail=True)
    words = {"accepted": "已入库 safe", "duplicate": "已有相同文件 same bytes", "rejected": "未收 rejected"}
    inbox = demo.home / "inbox"
    for one in receipts:
        path = Path(one["path"])
        shown = path.relative_to(inbox) if path.is_relative_to(inbox) else path
        say(f"  {padded(words[one['status']], 24)} {(one['sha256'] or '')[:12]:12}  {shown}")
        if one["reason"]:
            say(f"  {'':24} {'':12}    {one['reason']}")
    if demo.said:
        say("\n".join(f"      {told}" for told in demo.said.splitlines()[-12:]))
    return receipts


def work_through(demo: Demonstration) -> bool:
    """A worker runs until nothing waits any more; whether it came to that."""
    say(f"  $ {demo.typed(['work'])}   # 直到全部完成 until all is done")
    log = (demo.home / "worker.log").open("wb")
    worker = subprocess.Popen(
        demo.command(["work"]), cwd=ROOT, env=demo.environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log
    )
    progress, moved_at, before = Progress(), time.monotonic(), None
    try:
        while True:
            [now] = demo.run("status", shown=False)
            resting = sum(now["states"].get(state, 0) for state in ("ready", "attention", "failed_custody"))
            progress.show(resting, now["originals"])
            if now["queued"] + now["running"] == 0:
                return True
            seen = (now["states"], now["queued"], now["running"])
            if seen != before:
                moved_at, before = time.monotonic(), seen
            if worker.poll() is not None or time.monotonic() - moved_at > STALLED_S:
                say(f"      {demo.home / 'worker.log'}")
                return False
            time.sleep(0.5)
    finally:
        progress.end()
        worker.terminate()
        try:
            worker.wait(timeout=60)
        except subprocess.TimeoutExpired:
            worker.kill()
        log.close()


def show_hits(hits: list[dict[str, Any]]) -> None:
    """A line a hit, with the words found."""
    for hit in hits:
        cases = " ".join(hit["cases"]) or "—"
        say(f"      {clock(hit['start'])}  {padded(KINDS[hit['kind']], 8)} {padded(cases, 26)} {hit['name']}")
        if "«" in hit["snippet"]:
            say(f"      {'':19}  {hit['snippet']}")
    if not hits:
        say("      （无结果 nothing found）")


def verify(demo: Demonstration) -> None:
    """Every digest and the whole log once more."""
    head("核验原件与日志", "Check every original and the log")
    found = demo.run("verify", may_fail=True)
    if not found:
        demo.expect(False, "核验完成", f"verify ended with {demo.code}")
        return
    audit = found[0]["audit"]
    say(f"      原件 originals {found[0]['checked']} · 损坏 broken {len(found[0]['broken'])} · 缺失 missing "
        f"{len(found[0]['missing'])} · 日志 log {audit['entries']}")  # fmt: skip
    demo.expect(
        demo.code == 0 and audit["ok"] and not found[0]["broken"] and not found[0]["missing"],
        "原件摘要与日志链完好", "every digest and the log's chain hold",
    )  # fmt: skip


def begin(demo: Demonstration) -> Path:
    """The home is made; its inbox."""
    head("建立工作目录", "Make a home")
    [made] = demo.run("init")
    say(f"      收件夹 inbox  {made['inbox']}")
    return Path(made["inbox"])


# -- with recordings of its own


def demonstrate(demo: Demonstration) -> int:
    """The whole demonstration with made recordings; the exit code."""
    inbox = begin(demo)
    head("生成录制文件", "Make the recordings")
    card = demo.home / "card"
    made = recordings.make(card)
    for one in made:
        say(f"      {padded(one.story_zh, 42)} {one.story}")
    clip = recordings.make_clip(card / made[0].path, demo.home / "clip" / "微信群转发.mp4")

    head("放入收件夹，等待写完，入库", "Drop them into the inbox; they settle and are taken into custody")
    dropped = len(drop(card, inbox, demo))
    receipts = take_in(demo)
    whole = len(receipts) == dropped and all(one["original"] for one in receipts)
    if not demo.expect(whole, f"{dropped} 个文件全部入库", f"all {dropped} files are in custody"):
        return demo.conclude()

    head("读取信息、判定时间、关联案件、生成预览", "Read, decide the time, link, make previews")
    demo.expect(work_through(demo), "流程运行到底", "the pipeline ran to its end")

    head("每个文件的结果", "What happened to each file")
    ids = {Path(one["path"]).name: one["original"] for one in receipts}
    shown = {one.name: demo.run("show", ids[one.name], shown=False)[0] for one in made if not one.same_as}
    say(f"  $ {demo.typed(['show', made[0].name])}   # 逐个 one by one")
    for number, one in enumerate((one for one in made if not one.same_as), 1):
        describe(number, shown[one.name], about=f"{one.story_zh} · {one.story}")
        judge(demo, one, shown[one.name])
    judge_duplicate(demo, made, receipts)

    find(demo, made)
    match(demo, clip, shown[CLIP_OF]["original"])
    verify(demo)
    return demo.conclude()


def judge(demo: Demonstration, one: Made, shown: dict[str, Any]) -> None:
    """What was known beforehand of this recording came out."""
    codes = {caveat["code"] for caveat in shown["caveats"]}
    is_broken = one.caveats == recordings.ANY_CAVEAT
    right = shown["kind"] == one.kind and shown["state"] == "ready"
    right &= one.case in [link["case"] for link in shown["links"]]
    if one.start is not None:
        right &= abs((datetime.fromisoformat(shown["time"]["start"]) - one.start).total_seconds()) < 1
    demo.expect(right, one.story_zh, f"{one.name}: kind, state, case and time are right")
    if is_broken:
        told = ", ".join(sorted(codes))
        demo.expect(bool(codes), "坏文件已保存并说明问题", f"the broken file is kept and says so: {told}")
        demo.expect("rescued" in codes, "坏文件中留存的画面可供查看", "the pictures that are left of it can be watched")
    elif one.caveats:
        noticed = bool(codes & set(one.caveats))
        demo.expect(noticed, "发现时钟相差八小时", f"the clock eight hours off was noticed: {', '.join(one.caveats)}")
    attached = {sidecar if isinstance(sidecar, str) else sidecar["name"] for sidecar in shown["sidecars"]}
    for sidecar in one.sidecars:
        demo.expect(sidecar in attached, "飞行字幕已归到录像", f"{sidecar} is attached to its recording")


def judge_duplicate(demo: Demonstration, made: Sequence[Made], receipts: list[dict[str, Any]]) -> None:
    """The same bytes are one original with two arrivals."""
    [copy] = [one for one in made if one.same_as]
    by_name = {Path(one["path"]).name: one for one in receipts}
    first, second = by_name[copy.same_as], by_name[copy.name]
    statuses = sorted((first["status"], second["status"]))
    demo.expect(
        first["original"] == second["original"] and statuses == ["accepted", "duplicate"],
        "相同内容识别为一份原件", f"{copy.name} is recognised as {copy.same_as}",
    )  # fmt: skip


def find(demo: Demonstration, made: Sequence[Made]) -> None:
    """Searches by case in another writing, by words and by time find what they must, and nothing else."""
    head("检索", "Search")
    mine = {case: {one.name for one in made if one.case == case} for case in (CASE_3, CASE_12)}
    names = {word: one.name for word in ("照片", "第二段", "录音笔") for one in made if word in one.story_zh}
    for arguments, wanted, zh, en in (
        (["--case", "平商务罚字[2021]3号"], mine[CASE_3],
         "按案号（另一种写法）检索", "by case number, written otherwise"),
        (["--case", CASE_12], mine[CASE_12], "按案号检索", "by case number"),
        (["拆除"], {names["照片"]}, "按文字检索：照片说明", "by words: a photo's description"),
        (["询问录音"], {names["录音笔"]}, "按文字检索：文件夹名", "by words: a folder's name"),
        (["--from", "2021-08-03 10:30:30", "--to", "2021-08-03 10:35", "--kind", "video"], {names["第二段"]},
         "按时间检索（时钟已更正）", "by time, the clock put right"),
    ):  # fmt: skip
        say(f"\n  {zh} · {en}")
        hits = demo.run("search", *arguments)
        show_hits(hits)
        found = {hit["name"] for hit in hits}
        demo.expect(
            found == wanted,
            f"{zh}",
            f"{en}: {len(found & wanted)} of {len(wanted)} found, {len(found - wanted)} too many",
        )


def match(demo: Demonstration, clip: Path, wanted: str) -> None:
    """The clip's original is found, and where in it the clip begins."""
    head("以图找源", "Where does this clip come from?")
    say(f"      {clip.name}: 截取 {CLIP_LENGTH_S:g} 秒、缩小、重新编码 · cut, made smaller, coded anew")
    hits = demo.run("match", str(clip))
    off_s = None
    for hit in hits:
        begins_s = hit["offset_s"] - hit["query_offset_s"]
        if hit is hits[0] and hit["original"] == wanted:
            off_s = round(abs(begins_s - CLIP_FROM_S), 2)
        say(f"      {hit['name']}  从 from {begins_s:.2f} s  ({hit['by']}, {hit['length_s']:g} s)")
    holds = off_s is not None and off_s <= 1
    demo.expect(holds, "片段找到出处", f"the clip is found in its original, {off_s} s from the true place")


# -- with the user's own files


def demonstrate_with(demo: Demonstration, folder: Path) -> int:
    """The same with a copy of the user's folder; the exit code."""
    inbox = begin(demo)
    head("复制到收件夹，入库", "Copy the folder into the inbox; take it into custody")
    dropped = drop(folder, inbox / folder.resolve().name, demo)
    receipts = take_in(demo)
    lost = [one for one in receipts if not one["original"]]
    seen = {one["path"] for one in receipts}
    for path in dropped:
        if str(path) not in seen:
            say(f"  {padded('未收 left alone', 24)} {'':12}  {path.relative_to(inbox)}")
    whole = not lost and demo.code == 0
    demo.expect(whole, "收到的文件全部入库", f"{len(receipts) - len(lost)} of {len(receipts)} files are in custody")

    head("读取信息、判定时间、关联案件、生成预览", "Read, decide the time, link, make previews")
    demo.expect(work_through(demo), "流程运行到底", "the pipeline ran to its end")
    head("每个文件的结果", "What happened to each file")
    ids = list(dict.fromkeys(one["original"] for one in receipts if one["original"]))
    shown = [demo.run("show", one, shown=False)[0] for one in ids[:SHOWN_IN_FULL]]
    for number, one in enumerate(shown, 1):
        describe(number, one)
    rest = set(ids[SHOWN_IN_FULL:])
    if rest:
        say()
        show_hits([hit for hit in demo.run("search", "--sort", "time", "--limit", "10000") if hit["original"] in rest])
    [now] = demo.run("status", shown=False)
    say("\n      " + " · ".join(f"{STATES[state]} {state} {count}" for state, count in now["states"].items()))
    demo.expect(not now["states"].get("failed_custody"), "入库字节与登记一致", "no original failed custody")
    search_own(demo, shown)
    verify(demo)
    return demo.conclude()


def search_own(demo: Demonstration, shown: list[dict[str, Any]]) -> None:
    """One or two searches that suit what was dropped."""
    head("检索", "Search")
    cases = Counter(link["case"] for one in shown for link in one["links"])
    days = Counter(one["time"]["start"][:10] for one in shown if one["time"])
    if cases:
        show_hits(demo.run("search", "--case", cases.most_common(1)[0][0], "--limit", "10"))
    if days:
        day = days.most_common(1)[0][0]
        show_hits(demo.run("search", "--from", day, "--to", day, "--limit", "10"))
    if not cases and not days and shown:
        show_hits(demo.run("search", Path(shown[0]["name"]).stem, "--limit", "10", may_fail=True))


def main() -> int:
    """Runs what the arguments ask for; the exit code."""
    about = "Shows what Casereel does with recordings: its own, or a copy of your folder."
    parser = argparse.ArgumentParser(prog="scripts/demo", description=about)
    parser.add_argument("folder", nargs="?", type=Path, help="a folder of your own files, which are only read")
    parser.add_argument("--home", type=Path, default=ROOT / "casereel-demo", help="the home to make (./casereel-demo)")
    given = parser.parse_args()
    if given.folder is not None and not given.folder.is_dir():
        parser.error(f"{given.folder} is not a folder")
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    demo = Demonstration(home=given.home.absolute(), made=given.folder is None)
    if given.folder is not None and demo.home.is_relative_to(given.folder.absolute()):
        parser.error("the home must not lie inside the folder")
    say("Casereel 演示 · demonstration")
    say("  $ 之后是所运行的命令（另加 --json）· $ shows each command that runs (with --json added)")
    fresh_home(demo.home)
    started = time.monotonic()
    code = demonstrate_with(demo, given.folder) if given.folder is not None else demonstrate(demo)
    say(f"  用时 {time.monotonic() - started:.0f} 秒 seconds")
    return code


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
