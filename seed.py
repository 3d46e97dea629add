"""The demo data: the same rows on every machine, with dates counted back from today.

python seed.py                            fill an empty database, change nothing in any other
python seed.py --reset                    put everything back as it was seeded, in one transaction
python seed.py --users N --documents N    then add made-up ones until there are so many, to see how lists grow
"""

from __future__ import annotations

import io
import random
import struct
import wave
import zipfile
import zlib
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

import click
from peewee import SqliteDatabase, fn

from database import base, engines
from database.base import Setting, insert_rows
from models import (
    Activity,
    Conversation,
    ConversationMember,
    Document,
    DocumentReader,
    DocumentShare,
    DocumentTag,
    Event,
    EventAttendee,
    File,
    FilePart,
    Folder,
    Message,
    MessageMark,
    Notification,
    Order,
    RefreshToken,
    Role,
    Session,
    Task,
    Team,
    TeamMember,
    User,
    Visit,
)
from web import passwords
from web.mime import describe

#: The zone of the days and hours here: the server's TIMEZONE, set by the application.
zone: tzinfo = UTC

PASSWORD = "123456"  # noqa: S105
ACCOUNTS = (
    ("admin@example.com", "super_admin"),
    ("admin@halolight.h7ml.cn", "super_admin"),
    ("manager@halolight.h7ml.cn", "admin"),
    ("demo@halolight.h7ml.cn", "user"),
    ("guest@halolight.h7ml.cn", "guest"),
)
EVERYTHING_BUT_MANAGE = ("view", "create", "update", "delete")
ROLES: tuple[tuple[str, str, str, list[str]], ...] = (
    ("super_admin", "超级管理员", "可以做任何事", ["*"]),
    (
        "admin",
        "管理员",
        "管理用户和所有内容",
        ["users:*", "roles:view", "permissions:view", "teams:*", "documents:*", "files:*", "folders:*", "messages:*"]
        + ["notifications:*", "calendar:*", "tasks:*", "dashboard:*", "analytics:*", "settings:*"],
    ),
    (
        "user",
        "普通用户",
        "使用自己的内容和共享给自己的内容",
        ["dashboard:view", "teams:view"]
        + [
            f"{resource}:{action}"
            for resource in ("documents", "files", "folders", "messages", "calendar", "tasks")
            for action in EVERYTHING_BUT_MANAGE
        ]
        + ["notifications:view", "notifications:update", "notifications:delete"],
    ),
    ("guest", "访客", "只能查看仪表盘", ["dashboard:view"]),
)
#: Name, username, department, position; the first five hold the accounts above.
PEOPLE = (
    ("系统管理员", "admin", "技术部", "系统管理员"),
    ("光环", "halo", "技术部", "技术总监"),
    ("李经理", "manager", "运营部", "运营经理"),
    ("王小明", "demo", "产品部", "产品经理"),
    ("访客", "guest", "", ""),
    ("张伟", "zhangwei", "技术部", "后端工程师"),
    ("王芳", "wangfang", "市场部", "市场专员"),
    ("李娜", "lina", "产品部", "产品设计师"),
    ("刘洋", "liuyang", "技术部", "前端工程师"),
    ("陈静", "chenjing", "人事部", "招聘主管"),
    ("杨帆", "yangfan", "销售部", "销售经理"),
    ("赵磊", "zhaolei", "技术部", "测试工程师"),
    ("黄敏", "huangmin", "财务部", "会计"),
    ("周杰", "zhoujie", "技术部", "运维工程师"),
    ("吴婷", "wuting", "设计部", "视觉设计师"),
    ("徐强", "xuqiang", "销售部", "客户经理"),
    ("孙丽", "sunli", "运营部", "内容运营"),
    ("马超", "machao", "技术部", "架构师"),
    ("朱琳", "zhulin", "市场部", "品牌经理"),
    ("胡军", "hujun", "销售部", "区域经理"),
    ("郭靖", "guojing", "技术部", "算法工程师"),
    ("何雪", "hexue", "设计部", "交互设计师"),
    ("高翔", "gaoxiang", "产品部", "数据分析师"),
    ("林晓", "linxiao", "人事部", "培训专员"),
    ("罗成", "luocheng", "财务部", "财务经理"),
    ("郑爽", "zhengshuang", "运营部", "用户运营"),
    ("梁宇", "liangyu", "技术部", "安全工程师"),
    ("谢娜", "xiena", "市场部", "活动策划"),
    ("宋佳", "songjia", "产品部", "产品助理"),
    ("唐磊", "tanglei", "销售部", "销售助理"),
)
#: Name, description, members by their ids; the first is the team's admin.
TEAMS = (
    ("技术团队", "后端、前端、测试与运维", (2, 1, 6, 9, 12, 18, 27)),
    ("产品团队", "产品规划、设计与数据分析", (4, 8, 15, 22, 23, 29)),
    ("市场团队", "市场、销售与运营", (3, 7, 11, 16, 17, 19, 20)),
    ("光环项目组", "跨部门的后台改版项目", (1, 2, 3, 4, 9, 22)),
)

#: Name, the number of its parent, owner. Whatever lies in a folder is its owner's.
FOLDERS = (
    ("项目资料", None, 4),
    ("需求文档", 1, 4),
    ("设计稿", 1, 4),
    ("会议纪要", None, 4),
    ("公司制度", None, 1),
    ("技术文档", None, 2),
    ("接口文档", 6, 2),
)
#: Title, type, tags.
DOCUMENTS = (
    ("2026 年度产品规划", "document", "重要 规划"),
    ("员工手册", "pdf", "制度"),
    ("后台架构设计", "document", "技术 重要"),
    ("用户调研报告", "document", "调研"),
    ("第三季度运营数据", "spreadsheet", "数据"),
    ("首页改版方案", "presentation", "规划 设计"),
    ("登录接口示例", "code", "技术"),
    ("产品周会纪要", "document", "会议"),
    ("考勤与休假制度", "pdf", "制度"),
    ("数据库迁移脚本", "code", "技术"),
    ("竞品分析", "presentation", "调研 规划"),
    ("需求清单", "spreadsheet", "规划"),
    ("差旅报销流程", "document", "制度"),
    ("接口错误码约定", "document", "技术"),
    ("品牌视觉规范", "image", "设计"),
    ("迭代回顾会议", "document", "会议"),
    ("活动预算", "spreadsheet", "数据 规划"),
    ("权限模型说明", "document", "技术 重要"),
    ("新人培训课件", "presentation", "制度"),
    ("前端组件示例", "code", "技术 设计"),
    ("客户访谈记录", "document", "调研"),
    ("图标草图", "image", "设计"),
    ("渠道销售对比", "spreadsheet", "数据"),
    ("发布检查清单", "document", "技术"),
    ("年中总结", "presentation", "重要 数据"),
    ("季度目标", "document", "规划"),
    ("采购合同范本", "pdf", "制度"),
    ("监控告警规则", "code", "技术"),
    ("站会记录", "other", "会议"),
    ("导航原型", "image", "设计"),
)
#: What stands in a document, by its type; any other type has the text of `document`.
CONTENTS = {
    "document": "# {title}\n\n## 背景\n\n{title}由{author}整理，供团队讨论。\n\n## 结论\n\n- 目标清晰\n- 按周跟进\n",
    "spreadsheet": "项目,一月,二月,三月\n{title},120,135,150\n合计,120,135,150\n",
    "code": 'def main() -> None:\n    """{title}"""\n    print("你好，光环")\n',
}


#: Name, members by their ids; one without a name is private.
CONVERSATIONS: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("", (4, 3)),
    ("", (4, 8)),
    ("", (1, 4)),
    ("", (2, 1)),
    ("", (3, 17)),
    ("", (2, 18)),
    ("", (4, 23)),
    ("", (3, 1)),
    ("产品需求讨论", (4, 8, 22, 23, 29)),
    ("技术部", (1, 2, 6, 9, 12, 18, 27)),
    ("后台改版项目", (2, 1, 3, 4, 9, 22)),
    ("市场活动筹备", (3, 7, 17, 19, 11)),
    ("全体同事", (1, 2, 3, 4, *range(6, 31))),
)
LINES = (
    *("早上好，今天的安排看了吗？", "看到了，下午三点开会。", "会议室订好了吗？", "订好了，在 302。"),
    *("新版首页的设计稿已经上传。", "收到，我看一下。", "配色很清爽，按钮可以再大一点。", "好的，我今天改完。"),
    *("接口文档更新了，请以最新版为准。", "辛苦了！", "测试环境已经部署完成。", "登录页我这边一切正常。"),
    *("周报记得今天下班前交。", "好的，马上写。", "客户反馈整体满意。", "太好了，继续保持。"),
    *("数据看板的数字对过了，没有问题。", "下周一发布可以吗？", "没问题，按计划来。", "那就这么定了。"),
)
#: Type, title, content, page.
NOTICES = (
    ("system", "Maintenance tonight", "23:00 至 23:30 暂停服务。", ""),
    ("task", "You were given a task", "准备季度汇报", "/tasks"),
    ("alert", "Login from a new device", "Chrome · macOS · 上海", "/settings"),
    ("user", "Your role was changed", "刷新页面即可看到新的菜单。", ""),
    ("system", "Welcome to HaloLight", "从左侧菜单开始，看看有哪些功能。", ""),
)

#: What the files are about: one of each format for every subject.
SUBJECTS = ("季度汇报", "产品发布会", "团队合影", "客户访谈", "系统架构", "品牌宣传", "新人培训", "年度预算")

#: Title, type and place of what happens; a holiday takes whole days.
OCCASIONS = (
    ("项目周会", "meeting", "一号会议室"),
    ("产品评审", "meeting", "二号会议室"),
    ("提交进度报告", "task", ""),
    ("团队活动日", "holiday", "郊野公园"),
    ("客户拜访", "meeting", "客户公司"),
    ("代码评审", "meeting", "线上"),
    ("续签合同提醒", "reminder", ""),
    ("新人培训", "meeting", "培训室"),
)
COLORS = {"meeting": "#409eff", "task": "#67c23a", "reminder": "#e6a23c", "holiday": "#f56c6c"}
TASKS = (
    *("整理需求文档", "修复登录页样式", "准备季度汇报", "更新接口文档", "回访重点客户", "优化首页速度", "编写单元测试"),
    *("设计新版图标", "核对财务报表", "组织团队培训", "升级依赖版本", "备份生产数据", "撰写产品公告", "面试前端候选人"),
    *("清理过期文件", "配置监控告警", "评审数据库设计", "制定下月计划", "翻译帮助手册", "检查权限设置"),
)

#: How many rows are added in one transaction: between two of them others may write.
CHUNK = 10_000


class NotResettable(Exception):
    """The database holds no demo rows, so there is nothing to put back."""


def seed(demo: bool) -> None:
    """Fill an empty database: the roles, and with `demo` everything else. Runs in the caller's transaction."""
    insert(
        Role,
        [
            {"id": number, "name": name, "label": label, "description": text, "permissions": grants, "is_system": True}
            for number, (name, label, text, grants) in enumerate(ROLES, 1)
        ],
    )
    if not demo:
        return
    if Setting.read("demo_password") is None:  # hashed once: a reset has 0.2 s, and a hash takes half of that
        Setting.keep("demo_password", passwords.make_hash(PASSWORD))
    Setting.keep("seeded", today().isoformat())
    seed_users()
    seed_teams()
    seed_folders()
    seed_documents()
    seed_files()
    seed_messages()
    seed_notifications()
    seed_events()
    seed_tasks()
    seed_activities()
    seed_visits()
    seed_orders()


def seed_users() -> None:
    hashed = Setting.read("demo_password")
    roles = {"super_admin": 1, "admin": 2, "user": 3, "guest": 4}
    rows = []
    for number, (name, username, department, position) in enumerate(PEOPLE, 1):
        email, role = ACCOUNTS[number - 1] if number <= len(ACCOUNTS) else (f"{username}@halolight.h7ml.cn", "user")
        if number in (6, 18):
            role = "admin"
        status = "active"
        if number > len(ACCOUNTS) and number % 7 == 0:
            status = "inactive" if number % 2 else "suspended"
        before = len(PEOPLE) - number
        joined = -1 - 6 * before - before**2 // 6  # ever more of them
        made, last_seen = at(joined, 7, number), max(joined, -(number % 9) - 1)
        rows.append(
            {
                "id": number,
                "email": email,
                "username": username,
                "username_key": username,
                "name": name,
                "phone": f"1380013{8000 + number}",
                "department": department,
                "position": position,
                "bio": f"{department}{position}，很高兴认识大家。" if department else "",
                "status": status,
                "role": roles[role],
                "password_hash": hashed,
                "created_at": made,
                "updated_at": made,
                "last_login_at": at(last_seen, 8 + number % 10, number) if status == "active" else None,
            }
        )
    insert(User, rows)


def seed_teams() -> None:
    teams: list[dict[str, Any]] = []
    members: list[dict[str, Any]] = []
    for number, (name, description, users) in enumerate(TEAMS, 1):
        made = at(-90 + 10 * number, 9)
        team = {"id": number, "name": name, "description": description, "created_at": made, "updated_at": made}
        teams.append(team)
        for user in users:
            role = "admin" if user == users[0] else "member"
            members.append({"id": len(members) + 1, "team": number, "user": user, "role": role})
    insert(Team, teams)
    insert(TeamMember, members)


def seed_folders() -> None:
    rows = []
    for number, (name, parent, owner) in enumerate(FOLDERS, 1):
        made = at(-100 + number, 10)
        row = {"id": number, "name": name, "parent": parent, "owner": owner, "created_at": made, "updated_at": made}
        rows.append(row)
    insert(Folder, rows)


def seed_documents() -> None:
    documents: list[dict[str, Any]] = []
    tags: list[dict[str, Any]] = []
    shares: list[dict[str, Any]] = []
    readers: list[dict[str, Any]] = []
    for number, (title, type_, names) in enumerate(DOCUMENTS, 1):
        author = (4, 1, 2, 4, 3, 8, 2, 4, 1, 9)[number % 10]
        folders = [id for id, (_, _, owner) in enumerate(FOLDERS, 1) if owner == author]
        content = CONTENTS.get(type_, CONTENTS["document"]).format(title=title, author=PEOPLE[author - 1][0])
        documents.append(
            {
                "id": number,
                "title": title,
                "content": content,
                "type": type_,
                "size": len(content.encode()),
                "folder": folders[number // 2 % len(folders)] if folders and number % 4 else None,
                "author": author,
                "created_at": at(-95 + 3 * number, 9, number),
                "updated_at": at(-95 + 3 * number + number % 4, 15, number),
            }
        )
        tags += [{"document": number, "name": name} for name in names.split()]
        # Two of three are shared with one of the accounts, and read by up to a dozen people.
        with_whom = (1, 2, 4, 3, 4)[number % 5]
        if number % 3 and with_whom != author:
            permission = ("view", "edit")[number % 2]
            shares.append({"document": number, "user": with_whom, "permission": permission})
        readers += [{"document": number, "user": user} for user in range(1, number * 7 % 13 + 1)]
    insert(Document, documents)
    for model, rows in ((DocumentTag, tags), (DocumentShare, shares), (DocumentReader, readers)):
        insert(model, [{"id": number, **row} for number, row in enumerate(rows, 1)])


def seed_messages() -> None:
    conversations: list[dict[str, Any]] = []
    members: list[dict[str, Any]] = []
    messages: list[dict[str, Any]] = []
    marks: list[dict[str, Any]] = []
    for number, (name, users) in enumerate(CONVERSATIONS, 1):
        length = 8 + 5 * number % 13
        times = [at(-1 - number // 3, 9, 20 * turn + number) for turn in range(length)]
        conversation = {"id": number, "name": name, "created_at": times[0], "updated_at": times[-1]}
        kind = {"type": "group", "pair": None} if name else {"type": "private", "pair": f"{min(users)}:{max(users)}"}
        conversations.append({**conversation, **kind, "creator": users[0]})
        members += [{"conversation": number, "user": user} for user in users]
        for turn, made in enumerate(times):
            sender, unread = users[turn * 3 // 2 % len(users)], turn >= length - number % 4
            message = {"id": len(messages) + 1, "conversation": number, "sender": sender, "created_at": made}
            messages.append({**message, "content": LINES[(3 * number + turn) % len(LINES)]})
            common = {"message": message["id"], "conversation": number}
            marks += [{**common, "user": user, "read": user == sender or not unread} for user in users]
    insert(Conversation, conversations)
    insert(ConversationMember, members)
    insert(Message, messages)
    insert(MessageMark, marks)


def seed_notifications() -> None:
    """A welcome for everybody but the accounts; for these their newest unread messages, and one of each other kind."""
    rows: list[dict[str, Any]] = []

    def tell(user: int, notice: tuple[str, ...], made: datetime, read: bool, target: int | None = None) -> None:
        row = {"id": len(rows) + 1, "user": user, "created_at": made, "read": read, "read_at": made if read else None}
        row |= {"target_type": "message" if target else None, "target_id": target}
        rows.append(row | dict(zip(("type", "title", "content", "link"), notice, strict=True)))

    for user in range(len(ACCOUNTS) + 1, len(PEOPLE) + 1):
        tell(user, NOTICES[-1], at(-20, 8, user), read=False)
    for turn in range(20):
        tell(1 + turn % 4, NOTICES[turn % len(NOTICES)], at(turn // 4 - 6, 6, turn), read=turn < 12)
    unread: Any = MessageMark.select(MessageMark.user, Message).join(Message).where(~MessageMark.read)
    newest = unread.where(MessageMark.user < len(ACCOUNTS)).order_by(Message.created_at.desc(), MessageMark.id)
    for mark in newest.limit(15):
        notice = ("message", "New message", mark.message.content, "/messages")
        tell(mark.user_id, notice, mark.message.created_at, read=False, target=mark.message.id)
    insert(Notification, rows)


def seed_files() -> None:
    files: list[dict[str, Any]] = []
    contents: list[dict[str, Any]] = []
    for subject in SUBJECTS:
        note = f"项目,一月,二月\n{subject},{len(files) + 10},{len(files) + 20}\n".encode()
        formats = {
            "png": picture(len(files)),
            "csv": note,
            "pdf": printed(f"HaloLight {len(files)}"),
            "wav": sound(len(files) + 8),
            "zip": packed(f"{subject}.csv", note),
        }
        for ending, data in formats.items():
            number = len(files) + 1
            owner = (4, 1, 2, 4, 3, 4, 6, 9)[number % 8]
            folders = [id for id, (_, _, whose) in enumerate(FOLDERS, 1) if whose == owner]
            made = at(-82 + 2 * number, 10, number)
            files.append(
                {
                    **{"id": number, "name": f"{subject}.{ending}", "owner": owner, **describe(io.BytesIO(data))},
                    "folder": folders[number // 3 % len(folders)] if folders and number % 3 else None,
                    "is_favorite": number % 6 == 0,
                    **{"created_at": made, "updated_at": made},
                }
            )
            contents.append({"file": number, "number": 0, "data": data})
    insert(File, files)
    insert(FilePart, contents)


def picture(shade: int) -> bytes:
    """A PNG of 48 by 32 pixels. Nothing is compressed: not every zlib gives the same bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    lines = b"".join(b"\0" + bytes(part for x in range(48) for part in (x * 5, y * 7, shade * 7)) for y in range(32))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 48, 32, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(lines, 0)) + chunk(b"IEND", b"")


def printed(text: str) -> bytes:
    """A PDF of one page with a line of ASCII (Chinese would need a font in it)."""
    drawn = f"BT /F 24 Tf 72 720 Td ({text}) Tj ET"
    objects = (
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >> >>",
        f"<< /Length {len(drawn)} >>\nstream\n{drawn}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )
    body, places = "%PDF-1.4\n", ""
    for number, each in enumerate(objects, 1):
        places += f"{len(body):010} 00000 n \n"
        body += f"{number} 0 obj\n{each}\nendobj\n"
    table = f"xref\n0 6\n0000000000 65535 f \n{places}trailer\n<< /Size 6 /Root 1 0 R >>"
    return f"{body}{table}\nstartxref\n{len(body)}\n%%EOF\n".encode()


def sound(pitch: int) -> bytes:
    """A WAV of a quarter of a second."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as out:
        out.setparams((1, 1, 8000, 0, "NONE", ""))
        out.writeframes(bytes(abs(n * pitch % 256 - 128) + 64 for n in range(2000)))
    return buffer.getvalue()


def packed(name: str, data: bytes) -> bytes:
    """A ZIP of one file, with the time (1980) and the system that it says made it fixed."""
    buffer, entry = io.BytesIO(), zipfile.ZipInfo(name)
    entry.create_system = 3
    with zipfile.ZipFile(buffer, "w") as out:
        out.writestr(entry, data)
    return buffer.getvalue()


def seed_events() -> None:
    """Eight past, eight today (two for each account), fifteen coming."""
    events: list[dict[str, Any]] = []
    attendees: list[dict[str, Any]] = []
    for number, day in enumerate([*range(-8, 0), *[0] * 8, *range(1, 16)], 1):
        title, kind, location = OCCASIONS[number % 8]
        start, end = at(day, 9 + number % 8), at(day, 10 + number % 8)
        if kind == "holiday":
            start = datetime.combine(today() + timedelta(days=day), datetime.min.time(), UTC)
            end = start + timedelta(days=2 if day > 0 else 1)
        organizer, made = number % 4 + 1, at(-20 + number // 3, 10, number)
        events.append(
            {
                **{"id": number, "title": title, "type": kind, "location": location, "color": COLORS[kind]},
                **{"start": start, "end": end, "all_day": kind == "holiday", "organizer": organizer},
                **{"created_at": made, "updated_at": made},
            }
        )
        invited = [organizer % 4 + 1, *(6 + (3 * number + turn) % 24 for turn in (0, 5, 10))]
        for turn, user in enumerate(invited):
            status = EventAttendee.STATUSES[(number // 4 + turn) % 4]
            attendees.append({"id": len(attendees) + 1, "event": number, "user": user, "status": status})
    insert(Event, events)
    insert(EventAttendee, attendees)


def seed_tasks() -> None:
    rows = []
    for number, title in enumerate(TASKS, 1):
        status, made = Task.STATUSES[number % 3], at(-30 + number, 10, number)
        rows.append(
            {
                **{"id": number, "title": title, "status": status, "priority": Task.PRIORITIES[number // 3 % 3]},
                "progress": {"pending": 0, "in_progress": 3 * number + 10, "done": 100}[status],
                "due_date": today() + timedelta(days=7 * number % 19 - 4),
                **{"creator": number % 4 + 1, "assignee": (number // 4 % 4 + 1) if number % 5 else None},
                **{"created_at": made, "updated_at": made},
            }
        )
    insert(Task, rows)


def seed_activities() -> None:
    done: list[Any] = []
    for model, number in ((Document, 15), (Event, 15), (Task, 20)):
        done.extend(model.select(model.id, model.title).order_by(model.id).limit(number))
    rows = []
    for number, target in enumerate(done, 1):
        ago = len(done) - number
        rows.append(
            {
                **{"id": number, "user": number % 4 + 1, "action": ("create", "update", "update")[number % 3]},
                **{"target_type": target._meta.name, "target_id": target.id, "target_name": target.title},
                "created_at": at(-1 - ago // 4, 17 - ago % 4 * 2, number),
            }
        )
    insert(Activity, rows)


def seed_visits() -> None:
    """About twenty a day, fewer at weekends, of visitors who come again."""
    rows: list[dict[str, Any]] = []
    for day in range(-89, 1):
        visits = 12 if at(day).weekday() > 4 else 22 + day % 5
        for turn in range(visits):
            visitor, made = f"visitor{(7 * day + turn * turn) % 37}", at(day, 8 + turn % 14, 7 * turn % 60)
            rows.append({"id": len(rows) + 1, "visitor": visitor, "pages": 1 + (day + turn) % 6, "at": made})
    insert(Visit, rows)


def seed_orders() -> None:
    """Two years of them, ever more often and ever dearer."""
    rows = []
    days = [*range(-731, -365, 2), *range(-365, 1), *(-ago * ago // 2 for ago in range(20))]
    for number, day in enumerate(sorted(days), 1):
        amount = 100 * (300 + number + number * 37 % 400) - 1
        status = "refunded" if number % 15 == 7 else "pending" if number % 10 == 3 else "paid"
        rows.append(
            {
                **{"id": number, "user": 6 + number % 25, "status": status, "amount": amount},
                **{"cost": amount * (55 + number % 20) // 100, "created_at": at(day, 9 + number % 10, number % 60)},
            }
        )
    insert(Order, rows)


def reset() -> None:
    """Put the demo rows back as they were seeded, in one transaction. Raises NotResettable.

    The secret, the schema version and the sessions of seeded accounts stay: a page that is logged in as one
    of them does not notice.
    """
    with engines.unhurried(), engines.write():
        if not seeded():
            raise NotResettable("only a database that was filled with demo rows can be reset")
        sessions: list[Any] = list(Session.select().where(Session.user <= len(PEOPLE)).dicts())
        kept = [session["id"] for session in sessions]
        tokens: list[Any] = list(RefreshToken.select().where(RefreshToken.session.in_(kept)).dicts())
        for model in reversed(base.tables()):
            if model is not Setting:
                model.delete().execute()
        seed(demo=True)
        insert(Session, sessions)
        insert(RefreshToken, tokens)


def grow(model: Any, add: Callable[[range, random.Random], None], wanted: int) -> None:
    """Add rows until `model` has `wanted`: the same ones wherever the same was there before."""
    there, noun = model.select().count(), model._meta.table_name
    if there >= wanted:
        click.echo(f"There are {there:,} {noun}: nothing to add for {wanted:,}.")
        return
    # Counted on from the highest id, for names that nobody has: rows may have been deleted.
    first = (model.select(fn.MAX(model.id)).scalar() or 0) + 1
    numbers = range(first, first + wanted - there)
    with click.progressbar(length=len(numbers), label=f"{len(numbers):,} {noun}") as bar:
        for start in range(0, len(numbers), CHUNK):
            chunk = numbers[start : start + CHUNK]
            with engines.unhurried(), engines.write():
                add(chunk, random.Random(there + start))
            bar.update(len(chunk))


def add_users(numbers: range, chance: random.Random) -> None:
    """Colleagues with names and posts of the seeded ones; nine of ten are active, nearly all are plain users."""
    hashed, roles = Setting.read("demo_password"), {role.name: role.id for role in Role.select()}
    midnight, colleagues = at(0), PEOPLE[len(ACCOUNTS) :]
    rows = []
    for number in numbers:
        one, other = chance.choice(colleagues), chance.choice(colleagues)
        username, made = f"user{number:07}", midnight - timedelta(minutes=chance.randrange(2 * 365 * 24 * 60))
        rows.append(
            {
                **{"email": f"{username}@halolight.h7ml.cn", "username": username, "username_key": username},
                **{"name": one[0][0] + other[0][1:], "phone": f"139{number % 10**8:08}"},
                **{"department": one[2], "position": one[3], "password_hash": hashed},
                "status": chance.choices(User.STATUSES, (90, 7, 3))[0],
                "role": roles[chance.choices(("user", "admin", "guest"), (96, 2, 2))[0]],
                **{"created_at": made, "updated_at": made},
            }
        )
    insert(User, rows)


def add_documents(numbers: range, chance: random.Random) -> None:
    """Documents of the first thousand users, with the seeded titles; one of four is shared with up to three of them."""
    people: Any = User.select(User.id, User.name).join(Role).where(User.status == "active", Role.name != "guest")
    authors = list(people.order_by(User.id).limit(1000).tuples())
    midnight, kinds, documents = at(0), [], []
    for number in numbers:
        title, type_, names = chance.choice(DOCUMENTS)
        author, name = authors[int(len(authors) * chance.random() ** 2)]  # the first ones write most
        content = CONTENTS.get(type_, CONTENTS["document"]).format(title=title, author=name)
        made = midnight - timedelta(minutes=chance.randrange(2 * 365 * 24 * 60))
        row = {"title": f"{title} {number}", "content": content, "type": type_, "size": len(content.encode())}
        documents.append({**row, "author": author, "created_at": made, "updated_at": made})
        readers = chance.sample(authors, chance.randint(1, min(3, len(authors)))) if chance.random() < 0.25 else []
        kinds.append((names.split(), [user for user, _ in readers if user != author]))
    before = Document.select(fn.MAX(Document.id)).scalar() or 0
    insert(Document, documents)
    # The database gave the ids: one that was deleted is not given again.
    made_now: Any = Document.select(Document.id).where(Document.id > before).order_by(Document.id).tuples()
    given = [(id, *kind) for (id,), kind in zip(made_now, kinds, strict=True)]
    insert(DocumentTag, [{"document": id, "name": name} for id, names, _ in given for name in names])
    shares = [{"document": id, "user": user} for id, _, users in given for user in users]
    insert(DocumentShare, [{**share, "permission": DocumentShare.PERMISSIONS[n % 2]} for n, share in enumerate(shares)])


def seeded() -> bool:
    return Setting.read("seeded") is not None


def age_in_days() -> int:
    """How many days ago the demo rows were seeded; 0 if there are none, or if it was in a zone where it is tomorrow."""
    day = Setting.read("seeded")
    return max((today() - date.fromisoformat(day)).days, 0) if day else 0


def today() -> date:
    return engines.now().astimezone(zone).date()


def at(days: int, hour: int = 0, minute: int = 0) -> datetime:
    """The instant `days` from today at this time of `zone`."""
    return datetime.combine(today(), datetime.min.time(), zone) + timedelta(days=days, hours=hour, minutes=minute)


def insert(model: Any, rows: list[dict[str, Any]]) -> None:
    """Insert rows of the same keys with the ids they carry; let new ids begin after all that were ever given."""
    insert_rows(model, rows)
    if rows and "id" in rows[0] and not isinstance(engines.db.obj, SqliteDatabase):
        # A sequence knows nothing of ids that were inserted, and must not go back behind those given since.
        sequence = f"{model._meta.table_name}_id_seq"
        highest = f"SELECT setval('{sequence}', GREATEST(%s, (SELECT last_value FROM {sequence})))"  # noqa: S608
        engines.db.execute_sql(highest, (rows[-1]["id"],))


if __name__ == "__main__":
    from halolight import fill  # which imports this module, so not at the top

    fill()
