"""Every text that a client may read: the English source → its code and the Chinese.

The English text is the key, so the code reads as what it says. Values stand in braces; a text that was
formatted is found again by its template. `code` is what `details[].code` carries; texts that never stand
there have none.
"""

import re
from functools import lru_cache

LANGUAGES = ("zh", "en")

#: `details[].code` of a refusal whose text has no code of its own.
INVALID = "invalid"

CATALOGUE: dict[str, tuple[str, str]] = {
    # Success
    "OK": ("", "操作成功"),
    "Logged in": ("", "登录成功"),
    "Registered": ("", "注册成功"),
    "Token refreshed": ("", "令牌已刷新"),
    "Logged out": ("", "已退出登录"),
    "If the address is known, a mail with a link is on its way": ("", "如果该邮箱已注册，重置链接已发送"),
    "Password changed": ("", "密码已修改"),
    "User created": ("", "用户已创建"),
    "User updated": ("", "用户已更新"),
    "User deleted": ("", "用户已删除"),
    "Users deleted": ("", "用户已批量删除"),
    "Profile updated": ("", "个人资料已更新"),
    "Task created": ("", "任务已创建"),
    "Task updated": ("", "任务已更新"),
    "Task deleted": ("", "任务已删除"),
    # Notifications
    "Your role was changed": ("", "您的角色已变更"),
    "You were given a task": ("", "您有新的任务"),
    # Errors by status
    "The request is not valid": ("", "请求参数验证失败"),
    "The body is not JSON": ("", "请求体不是有效的 JSON"),
    "The body is nested too deep": ("", "请求体嵌套过深"),
    "The body is not UTF-8": ("", "请求体不是 UTF-8 编码"),
    "The request cannot be understood": ("", "请求无法解析"),
    "Log in first": ("", "请先登录"),
    "The token is not valid": ("", "令牌无效"),
    "The token has expired": ("", "令牌已过期"),
    "The session has ended": ("", "会话已结束"),
    "The refresh token was used before; the session has ended": ("", "刷新令牌已被使用，会话已结束"),
    "Wrong account or password": ("", "账号或密码错误"),
    "This account is not active": ("", "该账号未启用"),
    "This needs the permission {permission}": ("", "需要权限 {permission}"),
    "You may see this, but not change it": ("", "您可以查看，但不能修改"),
    "This would need more rights than you have": ("", "超出了您自己的权限"),
    "Requests for the host {host} are refused; allow it with ALLOWED_HOSTS": (
        "",
        "拒绝访问主机 {host}；可通过 ALLOWED_HOSTS 允许",
    ),
    "Not found": ("", "资源不存在"),
    "This method is not allowed here": ("", "不支持该请求方法"),
    "The state does not allow this": ("", "当前状态不允许此操作"),
    "At least one active super administrator must remain": ("", "必须保留至少一个启用的超级管理员"),
    "You cannot do this to yourself": ("", "不能对自己执行此操作"),
    "The body is too large": ("", "请求体过大"),
    "Send JSON, with Content-Type: application/json": ("", "请发送 JSON（Content-Type: application/json）"),
    "Too many requests, try again later": ("", "请求过于频繁，请稍后再试"),
    "Something went wrong on the server": ("", "服务器内部错误"),
    "The database is not available at the moment": ("", "数据库暂时不可用"),
    "Mail delivery is not set up": ("", "未配置邮件发送"),
    # Fields
    "Missing data for required field.": ("required", "缺少必填字段"),
    "Field may not be null.": ("null", "不能为 null"),
    "Unknown field.": ("unknown_field", "未知字段"),
    "Invalid input type.": ("type", "应为 JSON 对象"),
    "Invalid type.": ("type", "类型不正确"),
    "Invalid value.": ("invalid", "取值不正确"),
    "Not a valid string.": ("type", "应为字符串"),
    "Not a valid integer.": ("type", "应为整数"),
    "Not a valid id.": ("type", "应为整数编号"),
    "Not a valid boolean.": ("type", "应为布尔值"),
    "Not a valid list.": ("type", "应为数组"),
    "Not a valid date.": ("type", "应为日期，例如 2026-11-24"),
    "Not a valid time.": ("type", "应为 ISO 8601 时间"),
    "Not a valid email address.": ("invalid_email", "邮箱格式不正确"),
    "Not a valid URL.": ("invalid_url", "链接格式不正确"),
    "Only letters, digits and _ - . are allowed.": ("invalid_characters", "只能包含字母、数字和 _ - ."),
    "Control characters cannot be stored.": ("invalid_characters", "包含无法保存的字符"),
    "Number too large.": ("out_of_range", "数值过大"),
    "Must be greater than or equal to {min} and less than or equal to {max}.": (
        "out_of_range",
        "应在 {min} 与 {max} 之间",
    ),
    "Must be greater than or equal to {min}.": ("out_of_range", "不能小于 {min}"),
    "Must be less than or equal to {max}.": ("out_of_range", "不能大于 {max}"),
    "Shorter than minimum length {min}.": ("too_short", "长度不能少于 {min}"),
    "Longer than maximum length {max}.": ("too_long", "长度不能超过 {max}"),
    "Must be one of: {choices}.": ("not_one_of", "应为以下之一：{choices}"),
    "Allowed: {choices}.": ("not_one_of", "可用的值：{choices}"),
    "There is no such row.": ("unknown_id", "引用的记录不存在"),
    "There is no such role.": ("unknown_id", "角色不存在"),
    "This value is taken.": ("unique", "该值已被占用"),
    "Wrong password.": ("wrong_password", "密码错误"),
    "This link is not valid or was used before.": ("invalid_token", "链接无效或已使用"),
}

_VALUE = re.compile(r"\{(\w+)\}")
#: Templates as patterns, the longest first: a short one may be the beginning of a long one.
_TEMPLATES = [
    (re.compile(_VALUE.sub(r"(?P<\1>.+)", re.sub(r"([.*+?()|^$\[\]\\])", r"\\\1", source)) + r"\Z", re.DOTALL), source)
    for source in sorted(CATALOGUE, key=len, reverse=True)
    if "{" in source
]


@lru_cache(maxsize=4096)
def lookup(text: str) -> tuple[str, str] | None:
    """The code and the Chinese of an English text, as it was or formatted from a template; None if it is nowhere."""
    if text in CATALOGUE:
        return CATALOGUE[text]
    for pattern, source in _TEMPLATES:
        if found := pattern.match(text):
            code, chinese = CATALOGUE[source]
            return code, _VALUE.sub(lambda value: found[value[1]], chinese)
    return None


def translate(text: str, language: str) -> str:
    """`text` in `language`; a text that stands in no catalogue (a user's own) stays as it is."""
    found = lookup(text) if language == "zh" else None
    return found[1] if found else text


def code_of(text: str) -> str:
    found = lookup(text)
    return found[0] if found and found[0] else INVALID
