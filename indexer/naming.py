"""What values of the catalog are called in both languages, on pages and at the command line. Pure."""

from __future__ import annotations

from typing import Final, Literal

Lang = Literal["zh", "en"]
# By group: (Chinese, English).
NAMES: Final[dict[str, dict[str, tuple[str, str]]]] = {
    "role": {
        "clerk": ("登记员", "clerk"), "reviewer": ("审核员", "reviewer"), "operator": ("运维员", "operator"),
        "auditor": ("审计员", "auditor"), "administrator": ("管理员", "administrator"),
    },
    "kind": {
        "video": ("视频", "video"), "audio": ("音频", "audio"), "photo": ("照片", "photo"),
        "document": ("文书", "document"), "sidecar": ("附属文件", "sidecar"), "other": ("其他", "other"),
    },
    "field": {
        "case": ("案件", "Case"), "party": ("当事人", "Party"), "device": ("设备", "Device"),
        "officer": ("执法人员", "Officer"), "person": ("人物", "Person"), "kind": ("类型", "Kind"),
        "stage": ("步骤", "Step"), "place": ("地点", "Place"), "link": ("关联", "Link"),
        "retention": ("保管类别", "Retention"), "start": ("自", "From"), "end": ("至", "To"),
        "has_gap": ("有缺口", "With gaps"), "unlinked": ("未关联案件", "Without a case"),
    },
    "state": {
        "received": ("已看到", "received"), "in_custody": ("已入库", "in custody"),
        "searchable": ("可检索", "searchable"),
        "ready": ("就绪", "ready"), "attention": ("需要关注", "needs attention"),
        "failed_custody": ("保管异常", "custody failed"), "disposed": ("已处置", "disposed of"),
    },
    "link": {
        "proposed": ("待确认", "proposed"), "confirmed": ("已确认", "confirmed"), "refused": ("已否定", "refused"),
    },
    "way": {
        "inbox": ("收件文件夹", "inbox"), "upload": ("网页上传", "browser"), "folder": ("监视文件夹", "watched folder"),
        "card": ("命令行或存储卡", "command line or card"),
    },
    "only": {
        "": ("全部", "all"), "unlinked": ("未关联案件", "linked to no case"),
        "proposed": ("待确认关联", "link proposed"),
        "late": ("逾期上交", "handed in late"), "duplicate": ("重复", "duplicates"),
        "attention": ("需要关注", "needs attention"),
    },
    "safe": {
        "in_custody": ("已安全入库，正在读取信息", "safe; its facts are being read"),
        "searchable": ("已安全入库，正在生成预览", "safe; a preview is being prepared"),
        "ready": ("已安全入库，可以查看", "safe and ready to be looked at"),
        "attention": ("已安全入库，但无法预览，已告知运维", "safe; it cannot be shown, the operators see it"),
        "failed_custody": (
            "保管异常：请勿使用，立即告知管理员", "custody is broken: do not use it, tell the administrator at once"
        ),
        "disposed": ("已按保管期限处置", "disposed of at the end of its period"),
        "received": ("已看到", "received"),
    },
    "list": {
        "waiting": ("还在等待其余文件", "the others are awaited"), "complete": ("全部收到", "all came"),
        "incomplete": ("有文件没有收到，请补交", "files are missing: hand them in"),
        "wrong": ("有文件与清单不一致，请重新复制", "files are not as listed: copy them again"),
    },
    "job": {
        "waiting": ("等待", "waiting"), "running": ("进行", "running"), "done": ("完成", "done"),
        "failed": ("失败", "failed"), "cancelled": ("已取消", "cancelled"),
    },
    "lane": {"light": ("轻", "light"), "heavy": ("重", "heavy")},
    "stage": {
        "probe": ("读取属性", "probe"), "timestamps": ("判定时间", "timestamps"), "link": ("关联案件", "link"),
        "index": ("编入索引", "index"), "derive": ("生成预览", "derive"), "fingerprint": ("提取特征", "fingerprint"),
    },
    "level": {"alarm": ("告警", "alarm"), "notice": ("留意", "notice"), "well": ("正常", "well")},
    "log": {
        "all": ("全部", "all"), "looks": ("查看", "looks"), "searches": ("检索", "searches"),
        "exports": ("导出与下载", "exports and downloads"), "sign_ins": ("登录与账户", "sign-ins and accounts"),
        "work": ("任务操作", "jobs"), "custody": ("保管", "custody"),
    },
    "export": {
        "requested": ("待审批", "waits for approval"), "approved": ("已批准", "approved"),
        "refused": ("未批准", "refused"), "writing": ("正在写出", "being written"), "sealed": ("已封存", "sealed"),
        "finished": ("已完成", "finished"), "failed": ("失败", "failed"),
    },
    "outcome": {"done": ("完好", "well"), "refused": ("被拒", "refused"), "failed": ("失败", "failed")},
    "key": {
        "first": ("首个密钥", "the first"), "rotation": ("更换", "rotated"), "lost": ("丢失后更换", "after a loss"),
    },
    "event": {
        "view.original": ("查看原件", "looked at"), "view.downloaded": ("下载原件", "downloaded"),
        "view.record": ("查看信息", "read its record"), "view.case": ("打开案件", "opened a case"),
        "view.log": ("查阅日志", "read the log"), "view.statistics": ("查阅统计", "read statistics"),
        "search": ("检索", "searched"), "match": ("比对", "matched"),
        "session.begun": ("登录", "signed in"), "session.ended": ("退出", "signed out"),
        "session.refused": ("登录被拒", "sign-in refused"), "account.locked": ("账户锁定", "account locked"),
        "arrival.accepted": ("入库", "taken into custody"), "export.requested": ("申请导出", "asked for an export"),
        "export.approved": ("批准导出", "approved an export"), "export.refused": ("不批准导出", "refused an export"),
        "export.sealed": ("封存导出包", "sealed an export"),
        "verify": ("整体核验", "verified all"), "log.checked": ("核验日志", "checked the log"),
        "backup.done": ("备份", "backed up"), "fixity.batch": ("复核", "read again"),
        "fixity.broken": ("字节不符", "bytes do not hold"),
        "job.failed": ("失败", "failed"), "job.retry": ("重试", "tried again"), "job.cancel": ("取消", "cancelled"),
        **{f"stage.{name}": ("完成", "done") for name in (
            "probe", "timestamps", "link", "index", "derive", "fingerprint")},
    },
    "mode": {
        "offline": ("离线", "offline"), "events": ("事件", "events"), "polling": ("轮询", "polling"),
    },
    # Classes of what is not shown, and what lies between two files of a recording.
    "gap": {
        "file_split": ("换段", "switch of files"), "pause_explained": ("已说明", "explained"),
        "unexplained": ("未说明", "unexplained"), "clock_step": ("时钟变动", "clock was set"),
        "outside": ("首尾之外", "before or after all footage"), "gap": ("中断", "not recorded"),
        "missing": ("缺少文件", "files missing"), "unknown": ("时间不明", "time unknown"),
        "overlap": ("重叠", "overlap"),
    },
    "required": {
        "full": ("全程记录", "recorded throughout"), "some": ("视情况记录", "recorded where needed"),
        "once": ("须有记录", "recorded once"),
    },
    "opinion": {
        "agree": ("同意", "agree"), "disagree": ("不同意", "disagree"), "amend": ("建议修改后提交", "to be amended"),
        "": ("已签字", "signed"),
    },
    "show": {
        "all": ("全部", "all"), "coming": ("未到期", "still to come"), "past": ("已过期", "past"),
        "undated": ("未定日期", "without a date"),
    },
}  # fmt: skip


def named(lang: Lang, group: str, value: str) -> str:
    """What people call this value; itself where it has no name."""
    zh, en = NAMES[group].get(value, (value, value))
    return zh if lang == "zh" else en
