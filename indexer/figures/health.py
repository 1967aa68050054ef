"""How the home stands, as sentences, each with what to do where it is not well. Pure: from what `status` tells.

A sentence is an alarm where evidence, intake or the log is in danger, a notice where somebody should look within days,
else it says what is well. Limits of ours say what they were chosen against.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from indexer.persons.masking import masked

Level = Literal["alarm", "notice", "well"]
LEVELS: Final[tuple[Level, ...]] = ("alarm", "notice", "well")
# Three heartbeats and more, below the lease after which others take the work over.
QUIET_S: Final = 30.0
# A full look goes by every minute or so; five of them missed are no accident.
SCAN_LATE_S: Final = 900.0
CANARY_LATE_S: Final = 900.0
# Light work takes seconds: somebody waits for it. A long film's proxy takes hours by right.
WAITS_LONG_S: Final = {"light": 900.0, "heavy": 6 * 3600.0}
HOURS_ALARM: Final = 24.0
HOURS_NOTICE: Final = 14 * 24.0
BACKUP_NOTICE_H: Final = 26.0  # a daily one that is two hours late
BACKUP_ALARM_H: Final = 8 * 24.0
WATCHES_FULL: Final = 0.8


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """One thing that is so. about: `custody` `watcher` `worker` `patrol` `queue` `failures` `vault` `index` `fixity`
    `verified` `backup` `log`. fix, fix_zh: what to do; empty where there is nothing to do."""

    about: str
    level: Level
    en: str
    zh: str
    fix: str = ""
    fix_zh: str = ""


def told(data: Mapping[str, Any], seen: Callable[[Sequence[str]], Sequence[str]]) -> dict[str, Any]:
    """What `status` tells one person: without names of originals that they may not know of, and with `health`, the
    sentences. seen: those of these originals that they may know of."""
    known = set(seen([one["original"] for one in data["incidents"]]))
    incidents = [{**one, "name": masked(one["name"]) if one["original"] in known else ""} for one in data["incidents"]]
    shown = {**data, "incidents": incidents}
    return {**shown, "health": [asdict(one) for one in sentences(shown)]}


def sentences(data: Mapping[str, Any]) -> list[Sentence]:
    """Everything that is to be said, alarms first."""
    kinds = (
        _custody, _watchers, _workers, _queues, _failures, _vault, _index, _fixity, _verified, _backup, _signing, _log,
    )  # fmt: skip
    found = [one for kind in kinds for one in kind(data)]
    return sorted(found, key=lambda one: LEVELS.index(one.level))


def age(seconds: float) -> tuple[str, str]:
    """(English, Chinese) of a time span, in the unit that people would say it in."""
    for unit_s, en, zh in ((86400, "d", "天"), (3600, "h", "小时"), (60, "min", "分钟")):
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:.0f} {en}", f"{seconds / unit_s:.0f} {zh}"
    return f"{seconds:.0f} s", f"{seconds:.0f} 秒"


def _custody(data: Mapping[str, Any]) -> Iterator[Sentence]:
    for one in data["incidents"]:
        named = f"{one['name']} ({one['original']})" if one.get("name") else one["original"]
        named_zh = f"{one['name']}（{one['original']}）" if one.get("name") else one["original"]
        yield Sentence(
            about="custody",
            level="alarm",
            en=f"Custody is broken: {named} no longer holds the bytes that were taken in",
            zh=f"字节不符：{named_zh}与入库时不一致",
            fix=f"stop using it; run casereel repair {one['original']} --from BACKUP",
            fix_zh=f"停止使用，并运行 casereel repair {one['original']} --from 备份",
        )


def _watchers(data: Mapping[str, Any]) -> Iterator[Sentence]:
    if not data["watchers"]:
        yield Sentence(
            about="watcher",
            level="alarm",
            en="Nobody watches the inbox: files that are dropped there are not taken in",
            zh="没有监视进程：放入收件夹的文件不会被接收",
            fix="run casereel up, or casereel watch",
            fix_zh="运行 casereel up 或 casereel watch",
        )
    for root in data["watchers"]:
        yield _watcher(root)


def _watcher(root: Mapping[str, Any]) -> Sentence:
    told, told_zh = _told_of(root)
    en = f"{root['path']}: {'; '.join(told)}"
    zh = f"{root['path']}：{'；'.join(told_zh)}"
    if not root["ok"]:
        fix = "see the alarm; the folder is looked through again by itself as soon as it answers"
        return Sentence(
            about="watcher",
            level="alarm",
            en=f"{en}. {root['alarm']}",
            zh=f"{zh}。{root.get('alarm_zh') or root['alarm']}",
            fix=fix,
            fix_zh="按告警处理；文件夹恢复应答后会自动重新查看",
        )
    used, most = root.get("watches"), root.get("watches_max")
    if used and most and used > WATCHES_FULL * most:
        line = f"sysctl -w fs.inotify.max_user_watches={2 * most}"
        return Sentence(
            about="watcher",
            level="notice",
            en=en,
            zh=zh,
            fix=f"as administrator: {line}",
            fix_zh=f"请管理员执行：{line}",
        )
    scanned, canary = root.get("scanned_s_ago"), root.get("canary_s_ago")
    if (scanned or 0.0) > SCAN_LATE_S or (canary or 0.0) > CANARY_LATE_S:
        return Sentence(
            about="watcher",
            level="notice",
            en=en,
            zh=zh,
            fix="restart casereel watch if this does not change in minutes",
            fix_zh="如数分钟内没有变化，请重新启动 casereel watch",
        )
    return Sentence(about="watcher", level="well", en=en, zh=zh)


def _told_of(root: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    modes = {
        "events": ("hears file events", "接收文件事件"),
        "polling": ("is looked through at intervals", "定时查看"),
        "offline": ("does not answer", "没有应答"),
    }
    mode, mode_zh = modes.get(root["mode"], (root["mode"], root["mode"]))
    mount = f" ({root['mount']})" if root.get("mount") else ""
    told, told_zh = [mode + mount], [mode_zh + mount]
    for name, en, zh in (
        ("event_s_ago", "last event", "最近事件"),
        ("scanned_s_ago", "last full look", "最近全面查看"),
        ("canary_s_ago", "canary heard", "探测文件应答"),
    ):
        if root.get(name) is not None:
            ago, ago_zh = age(root[name])
            told.append(f"{en} {ago} ago")
            told_zh.append(f"{zh} {ago_zh}前")
    told.append(f"{root['waiting']} files settling")
    told_zh.append(f"{root['waiting']} 个文件等待稳定")
    if root.get("watches") is not None:
        told.append(f"inotify {root['watches']} / {root.get('watches_max') or '?'}")
        told_zh.append(f"inotify {root['watches']} / {root.get('watches_max') or '?'}")
    return told, told_zh


def _workers(data: Mapping[str, Any]) -> Iterator[Sentence]:
    if not data["workers"]:
        yield Sentence(
            about="worker",
            level="alarm",
            en="No worker runs: files are safe, and nothing is read, linked or made viewable",
            zh="没有工作进程：文件安全，但不会被读取、关联或生成预览",
            fix="run casereel up, or casereel work",
            fix_zh="运行 casereel up 或 casereel work",
        )
    for one in data["workers"]:
        yield _alive(
            "worker",
            "worker",
            "工作进程",
            one,
            f"{one.get('running', 0)} jobs under way",
            f"正在处理 {one.get('running', 0)} 项",
        )
    if not data["patrols"]:
        yield Sentence(
            about="patrol",
            level="alarm",
            en="No patrol runs: nothing is read again, no head of the log is signed, lost work stays lost",
            zh="没有巡检进程：不会复核、不会签署日志、丢失的工作不会恢复",
            fix="run casereel up, or casereel patrol",
            fix_zh="运行 casereel up 或 casereel patrol",
        )
    for one in data["patrols"]:
        trouble = one.get("trouble")
        if trouble:
            yield Sentence(
                about="patrol",
                level="alarm",
                en=f"The patrol on {one['host']} stumbled: {trouble}",
                zh=f"{one['host']} 上的巡检受阻：{trouble}",
                fix="see its log; casereel doctor names what lacks",
                fix_zh="查看其日志；casereel doctor 会指出缺少什么",
            )
        else:
            yield _alive("patrol", "patrol", "巡检", one, "its rounds go on", "定时巡检中")


def _alive(about: str, en: str, zh: str, one: Mapping[str, Any], does: str, does_zh: str) -> Sentence:
    ago, ago_zh = age(one["seen_s_ago"])
    who = f"{en} {one['worker']}"
    if one["seen_s_ago"] > QUIET_S:
        return Sentence(
            about=about,
            level="notice",
            en=f"The {who} has shown no life for {ago}",
            zh=f"{zh} {one['worker']} 已 {ago_zh}没有动静",
            fix=f"its work goes to others by itself; look whether {one['host']} hangs",
            fix_zh=f"其工作会自动转给其他进程；请检查 {one['host']} 是否停滞",
        )
    return Sentence(
        about=about,
        level="well",
        en=f"The {who}: {does}, sign of life {ago} ago",
        zh=f"{zh} {one['worker']}：{does_zh}，{ago_zh}前有动静",
    )


def _queues(data: Mapping[str, Any]) -> Iterator[Sentence]:
    waiting = [one for one in data["queues"] if one["oldest_s"] is not None]
    if not waiting:
        yield Sentence(about="queue", level="well", en="Nothing waits in the queue", zh="队列中没有等待的工作")
        return
    late = [one for one in waiting if one["oldest_s"] > WAITS_LONG_S[one["lane"]]]
    oldest = max(late or waiting, key=lambda one: one["oldest_s"])
    ago, ago_zh = age(oldest["oldest_s"])
    count = sum(one["waiting"] for one in waiting)
    yield Sentence(
        about="queue",
        level="notice" if late else "well",
        en=f"{count} jobs wait; the oldest, {oldest['stage']}, for {ago}",
        zh=f"{count} 项等待；最久的是“{oldest['stage']}”，已等 {ago_zh}",
        fix="see below whether workers run and why it waits; more hosts may run casereel work" if late else "",
        fix_zh="看下方工作进程是否在运行、为何等待；可在更多主机上运行 casereel work" if late else "",
    )


def _failures(data: Mapping[str, Any]) -> Iterator[Sentence]:
    if groups := data["failures"]:
        count = sum(one["count"] for one in groups)
        yield Sentence(
            about="failures",
            level="notice",
            en=f"{count} jobs failed, for {len(groups)} reasons; their originals are safe",
            zh=f"{count} 项失败，共 {len(groups)} 种原因；原始文件安全",
            fix="see the reasons below, and try again once they are mended",
            fix_zh="见下方原因，排除后重试",
        )


def _vault(data: Mapping[str, Any]) -> Iterator[Sentence]:
    vault = data["vault"]
    free_gib, left = vault["free_bytes"] / 2**30, vault["hours_left"]
    free, free_zh = f"{free_gib:.1f} GiB free", f"可用 {free_gib:.1f} GiB"
    fix = "make room, or move the home to a larger disk (casereel backup, casereel restore)"
    fix_zh = "腾出空间，或将数据迁到更大的磁盘（casereel backup、casereel restore）"
    if vault["free_bytes"] <= vault["reserve_bytes"]:
        yield Sentence(
            about="vault",
            level="alarm",
            en=f"The vault is full up to its reserve, and intake pauses: {free}",
            zh=f"存储已用到预留线，接收已暂停：{free_zh}",
            fix=fix,
            fix_zh=fix_zh,
        )
        return
    if left is None:
        yield Sentence(
            about="vault",
            level="well",
            en=f"The vault: {free}; nothing came in during the last days",
            zh=f"存储：{free_zh}；近日没有接收文件",
        )
        return
    lasts, lasts_zh = age(left * 3600)
    level: Level = "alarm" if left < HOURS_ALARM else "notice" if left < HOURS_NOTICE else "well"
    yield Sentence(
        about="vault",
        level=level,
        en=f"The vault: {free}, {left:,.0f} hours ({lasts}) of intake at the recent rate",
        zh=f"存储：{free_zh}，按近期速度还可接收 {left:,.0f} 小时（{lasts_zh}）",
        fix="" if level == "well" else fix,
        fix_zh="" if level == "well" else fix_zh,
    )


def _index(data: Mapping[str, Any]) -> Iterator[Sentence]:
    index = data["index"]
    rebuild, rebuild_zh = "run casereel rebuild index", "运行 casereel rebuild index"
    told, told_zh = f"{index['documents']} documents", f"{index['documents']} 条"
    if building := index["building"]:
        yield Sentence(
            about="index",
            level="notice",
            en=f"The index is being built anew: {building['done']} of {building['total']}",
            zh=f"正在重建索引：{building['done']} / {building['total']}",
        )
    elif index["fault"] and index["behind"]:
        yield Sentence(
            about="index",
            level="alarm",
            en=f"The index cannot be used: {index['fault']}",
            zh=f"索引不可用：{index['fault']}",
            fix=rebuild,
            fix_zh=rebuild_zh,
        )
    elif index["wanted"] != index["backend"]:
        yield Sentence(
            about="index",
            level="notice",
            en=f"The settings ask for {index['wanted']}; {index['backend']} answers",
            zh=f"设置要求 {index['wanted']}；目前由 {index['backend']} 检索",
            fix=rebuild,
            fix_zh=rebuild_zh,
        )
    elif index["behind"]:
        yield Sentence(
            about="index",
            level="notice" if index["behind"] > 100 else "well",
            en=f"The index: {told}, {index['behind']} originals behind",
            zh=f"索引：{told_zh}，落后 {index['behind']} 份",
            fix="it catches up by itself while workers run" if index["behind"] > 100 else "",
            fix_zh="工作进程运行时会自动追上" if index["behind"] > 100 else "",
        )
    else:
        yield Sentence(
            about="index", level="well", en=f"The index: {told}, nothing behind", zh=f"索引：{told_zh}，没有落后"
        )


def _fixity(data: Mapping[str, Any]) -> Iterator[Sentence]:
    fixity = data["fixity"]
    oldest = "" if fixity["oldest_days"] is None else f", the oldest {fixity['oldest_days']:.1f} days ago"
    oldest_zh = "" if fixity["oldest_days"] is None else f"，最久 {fixity['oldest_days']:.1f} 天前"
    late = fixity["overdue"]
    yield Sentence(
        about="fixity",
        level="notice" if late else "well",
        en=f"Fixity: {fixity['checked']} originals read in time, {late} overdue{oldest}",
        zh=f"复核：{fixity['checked']} 份在期限内，{late} 份逾期{oldest_zh}",
        fix="let casereel patrol run on, raise fixity.share, or run casereel verify once" if late else "",
        fix_zh="让 casereel patrol 持续运行，或提高 fixity.share，或运行一次 casereel verify" if late else "",
    )


def _verified(data: Mapping[str, Any]) -> Iterator[Sentence]:
    """Reconciliation: vault, catalog and log beside one another."""
    last = data["verified"]
    fix, fix_zh = (
        "run casereel verify: it compares the vault, the catalog and the log",
        "运行 casereel verify：逐一比对存储、目录与日志",
    )
    if last is None:
        yield Sentence(
            about="verified",
            level="notice",
            en="Vault, catalog and log were never compared as a whole",
            zh="存储、目录与日志尚未整体比对",
            fix=fix,
            fix_zh=fix_zh,
        )
        return
    ago, ago_zh = age(last["age_h"] * 3600)
    found = (last["broken"], last["missing"], last.get("strays", 0), last["log_faults"])
    en = "Vault, catalog and log compared {} ago: {} checked, {} broken, {} missing, {} strays, {} faults of the log"
    zh = "存储、目录与日志在 {}前比对：核验 {}，损坏 {}，缺失 {}，多余 {}，日志不符 {}"
    level: Level = "alarm" if last["outcome"] != "done" else "well"
    yield Sentence(
        about="verified",
        level=level,
        en=en.format(ago, last["checked"], *found),
        zh=zh.format(ago_zh, last["checked"], *found),
        fix="" if level == "well" else f"{fix}; what is broken is mended by casereel repair",
        fix_zh="" if level == "well" else f"{fix_zh}；损坏的用 casereel repair 修复",
    )


def _backup(data: Mapping[str, Any]) -> Iterator[Sentence]:
    copy = data["backup"]
    if copy is None:
        yield Sentence(
            about="backup",
            level="alarm",
            en="There is no backup",
            zh="没有备份",
            fix="run casereel backup --to DIR, then rehearse with casereel restore --verify",
            fix_zh="运行 casereel backup --to 目录，再用 casereel restore --verify 演练恢复",
        )
        return
    ago, ago_zh = age(copy["age_h"] * 3600)
    level: Level = (
        "alarm" if copy["age_h"] > BACKUP_ALARM_H else "notice" if copy["age_h"] > BACKUP_NOTICE_H else "well"
    )
    yield Sentence(
        about="backup",
        level=level,
        en=f"The last backup is {ago} old ({copy['target']})",
        zh=f"最近备份在 {ago_zh}前（{copy['target']}）",
        fix="" if level == "well" else f"run casereel backup --to {copy['target']}",
        fix_zh="" if level == "well" else f"运行 casereel backup --to {copy['target']}",
    )


def _signing(data: Mapping[str, Any]) -> Iterator[Sentence]:
    """The key that signs the log's head: without it a rewritten log could not be told from a true one."""
    for key, which, which_zh in (("key", "", ""), ("sm2_key", " (SM2)", "（SM2）")):
        trouble = data["log"].get(key)
        if trouble is None:
            continue
        rotate = f'casereel log rotate-key {"--sm2 " if which else ""}--lost --reason "..."'
        yield Sentence(
            about="log",
            level="alarm",
            en=f"The log is no longer signed{which}: {trouble['en']}",
            zh=f"日志不再签名{which_zh}：{trouble['zh'] or trouble['en']}",
            fix=f"put the key back from where a copy is kept, or set audit.keys to its folder; lost for good: {rotate}",
            fix_zh=f"从留存处放回密钥，或将 audit.keys 设为其所在文件夹；确已丢失：{rotate}",
        )


def _log(data: Mapping[str, Any]) -> Iterator[Sentence]:
    party = data["log"]["second_party"]
    missing = not party["up_to"]
    yield Sentence(
        about="log",
        level="notice" if missing or party["trouble"] else "well",
        en=f"The log, {data['log']['entries']} entries: {party['en']}"
        + (f"; {party['trouble']}" if party["trouble"] else ""),
        zh=f"日志 {data['log']['entries']} 条：{party['zh']}" + (f"；{party['trouble']}" if party["trouble"] else ""),
        fix="let another machine run casereel witness, or set audit.timestamp_url" if missing else "",
        fix_zh="由另一台机器运行 casereel witness，或设置 audit.timestamp_url" if missing else "",
    )
