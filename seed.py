"""The demo data: the same rows on every machine, with dates counted back from today.

python seed.py            fill an empty database, change nothing in any other
python seed.py --reset    put everything back as it was seeded, in one transaction
"""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, timedelta
from typing import Any

import click
from peewee import SqliteDatabase, chunked

import models
from models import RefreshToken, Role, Session, Setting, User
from resources.security import make_hash

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
    if Setting.read("demo_password") is None:
        Setting.keep("demo_password", make_hash(PASSWORD))  # hashed once: a reset has 0.2 s, a hash takes half of it
    Setting.keep("seeded", today().isoformat())
    seed_users()


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
        made = at(-400 + number * 12, 9, number)
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
                "last_login_at": at(-(number % 9) - 1, 8 + number % 10, number) if status == "active" else None,
            }
        )
    insert(User, rows)


def reset() -> None:
    """Put the demo rows back as they were seeded, in one transaction. Raises NotResettable.

    The secret, the schema version and the sessions of seeded accounts stay: a page that is logged in as one
    of them does not notice.
    """
    with models.write():
        if not seeded():
            raise NotResettable("only a database that was filled with demo rows can be reset")
        sessions: list[Any] = list(Session.select().where(Session.user <= len(PEOPLE)).dicts())
        kept = [session["id"] for session in sessions]
        tokens: list[Any] = list(RefreshToken.select().where(RefreshToken.session.in_(kept)).dicts())
        for model in reversed(models.TABLES):
            if model is not Setting:
                model.delete().execute()
        seed(demo=True)
        insert(Session, sessions)
        insert(RefreshToken, tokens)


def seeded() -> bool:
    return Setting.read("seeded") is not None


def age_in_days() -> int:
    """How many days ago the demo rows were seeded; 0 where there are none."""
    day = Setting.read("seeded")
    return (today() - date.fromisoformat(day)).days if day else 0


def today() -> date:
    return models.now().date()


def at(days: int, hour: int = 0, minute: int = 0) -> datetime:
    """The instant `days` from today at this time (UTC)."""
    return datetime.combine(today(), datetime.min.time(), UTC) + timedelta(days=days, hours=hour, minutes=minute)


def insert(model: Any, rows: list[dict[str, Any]]) -> None:
    """Insert rows with the ids they carry, and let new ids begin after all that were ever given."""
    for batch in chunked(rows, 500):
        model.insert_many(batch).execute()
    if rows and "id" in rows[0] and not isinstance(models.db.obj, SqliteDatabase):
        # A sequence knows nothing of ids that were inserted, and must not go back behind those given since.
        sequence = f"{model._meta.table_name}_id_seq"
        highest = f"SELECT setval('{sequence}', GREATEST(%s, (SELECT last_value FROM {sequence})))"  # noqa: S608
        models.db.execute_sql(highest, (rows[-1]["id"],))


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--reset", "again", is_flag=True, help="Put the demo data back as it was seeded.")
def main(again: bool) -> None:
    """Fill an empty database with the demo data; any other stays as it is."""
    # Here, because the application imports this module; run as a script, this one is not the one it imports.
    from halolight import BadConfiguration, create_app
    from seed import NotResettable, age_in_days, reset, seeded

    try:
        create_app()
        if again:
            reset()
        if not seeded():
            raise NotResettable("this database was made without demo rows (production, SEED_DEMO=false)")
    except (BadConfiguration, models.DatabaseRefused, NotResettable) as error:
        click.echo(f"seed: {error}", err=True)
        sys.exit(2)
    click.echo("The demo data is as it was seeded." if again else f"The demo data is there ({age_in_days()} days old).")
    models.db.close_all()


if __name__ == "__main__":
    main()
