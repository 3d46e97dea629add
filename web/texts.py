"""Every text that a client may read: the English source → its code and the Chinese.

The English text is the key, so the code reads as what it says. Values stand in braces; a text that was
formatted is found again by its template. `code` is what `details[].code` carries; texts that never stand
there have none.
"""

import re

from web import limits

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
    "If an account has this address, a reset link was sent": ("", "如果该邮箱已注册，重置链接已发送"),
    "Password changed": ("", "密码已修改"),
    "User created": ("", "用户已创建"),
    "User updated": ("", "用户已更新"),
    "User deleted": ("", "用户已删除"),
    "Users deleted": ("", "用户已批量删除"),
    "Profile updated": ("", "个人资料已更新"),
    "Role created": ("", "角色已创建"),
    "Role updated": ("", "角色已更新"),
    "Role deleted": ("", "角色已删除"),
    "Team created": ("", "团队已创建"),
    "Team updated": ("", "团队已更新"),
    "Team deleted": ("", "团队已删除"),
    "Member added": ("", "成员已添加"),
    "Member updated": ("", "成员已更新"),
    "Member removed": ("", "成员已移除"),
    "Session ended": ("", "会话已注销"),
    "Document created": ("", "文档已创建"),
    "Document updated": ("", "文档已更新"),
    "Document deleted": ("", "文档已删除"),
    "Documents deleted": ("", "文档已批量删除"),
    "Document shared": ("", "文档已共享"),
    "Document no longer shared": ("", "文档已取消共享"),
    "Folder created": ("", "文件夹已创建"),
    "Folder updated": ("", "文件夹已更新"),
    "Folder deleted": ("", "文件夹已删除"),
    "File uploaded": ("", "文件已上传"),
    "File updated": ("", "文件已更新"),
    "File deleted": ("", "文件已删除"),
    "Files deleted": ("", "文件已批量删除"),
    "Task created": ("", "任务已创建"),
    "Task updated": ("", "任务已更新"),
    "Task deleted": ("", "任务已删除"),
    "Event created": ("", "日程已创建"),
    "Event updated": ("", "日程已更新"),
    "Event deleted": ("", "日程已删除"),
    "Attendees invited": ("", "已邀请参与者"),
    "Attendee removed": ("", "参与者已移除"),
    "Response saved": ("", "已回复邀请"),
    "Message sent": ("", "消息已发送"),
    "Message deleted": ("", "消息已删除"),
    "Marked as read": ("", "已标记为已读"),
    "Conversation created": ("", "会话已创建"),
    "You left the conversation": ("", "已退出会话"),
    "Notification deleted": ("", "通知已删除"),
    # Notifications
    "Your role was changed": ("", "您的角色已变更"),
    "You were given a task": ("", "您有新的任务"),
    "You were invited to an event": ("", "您收到新的日程邀请"),
    "New message": ("", "新消息"),
    "A document was shared with you": ("", "有文档共享给您"),
    "You were added to a team": ("", "您已加入团队"),
    # The words of permissions
    "View": ("", "查看"),
    "View all": ("", "查看所有"),
    "Create": ("", "新建"),
    "Update": ("", "修改"),
    "Delete": ("", "删除"),
    "Manage": ("", "管理"),
    "Analytics": ("", "数据分析"),
    "Calendar": ("", "日程"),
    "Dashboard": ("", "仪表盘"),
    "Documents": ("", "文档"),
    "Files": ("", "文件"),
    "Folders": ("", "文件夹"),
    "Messages": ("", "消息"),
    "Notifications": ("", "通知"),
    "Permissions": ("", "权限"),
    "Roles": ("", "角色"),
    "Settings": ("", "系统设置"),
    "Tasks": ("", "任务"),
    "Teams": ("", "团队"),
    "Users": ("", "用户"),
    # The chart of what is stored
    "Images": ("", "图片"),
    "Audio and video": ("", "音视频"),
    "Office files": ("", "办公文件"),
    "Archives and other files": ("", "压缩包及其他"),
    # Sessions
    "Unknown device": ("", "未知设备"),
    # Demo controls
    "The demo data is as it was seeded": ("", "演示数据已恢复"),
    "Access tokens expired": ("", "访问令牌已过期"),
    "Set a new password": ("", "设置新密码"),
    "The demo controls made this error": ("", "演示控制产生的错误"),
    "Rule created": ("", "规则已创建"),
    "Rule deleted": ("", "规则已删除"),
    "Rules deleted": ("", "规则已全部删除"),
    "There may be at most {number} rules": ("", "规则最多 {number} 条"),
    "Clock set": ("", "时钟已设置"),
    "The clock runs again": ("", "时钟已恢复运行"),
    "This database was not filled with demo data": ("", "该数据库没有演示数据"),
    "The database differs from the models ({difference}); run: {command}": (
        "",
        "数据库与模型不一致（{difference}），请运行：{command}",
    ),
    "Requests from this site are refused; allow it with CORS_ORIGINS": (
        "",
        "拒绝来自该站点的请求；可通过 CORS_ORIGINS 允许",
    ),
    # Errors by status
    "The request is not valid": ("", "请求参数验证失败"),
    "The body is not JSON": ("", "请求体不是有效的 JSON"),
    "The body is nested too deep": ("", "请求体嵌套过深"),
    "The body is not UTF-8": ("", "请求体不是 UTF-8 编码"),
    "The request cannot be understood": ("", "请求无法解析"),
    "Log in first": ("", "请先登录"),
    "The header Authorization must be `Bearer` and the token": ("", "请求头 Authorization 应为 Bearer 加令牌"),
    "Registration is closed": ("", "暂不开放注册"),
    "Change your own password with POST /api/auth/change-password": (
        "",
        "请使用 POST /api/auth/change-password 修改自己的密码",
    ),
    "Only another administrator can change your e-mail": ("", "您的邮箱须由管理员修改"),
    "The token is not valid": ("", "令牌无效"),
    "The token has expired": ("", "令牌已过期"),
    "The session has ended": ("", "会话已结束"),
    "The refresh token was used before; the session has ended": ("", "刷新令牌已被使用，会话已结束"),
    "Wrong account or password": ("", "账号或密码错误"),
    "This account is not active": ("", "该账号未启用"),
    "This needs the permission {permission}": ("", "需要权限 {permission}"),
    "This needs one of the permissions {permissions}": ("", "需要以下权限之一：{permissions}"),
    "You may see this, but not change it": ("", "您可以查看，但不能修改"),
    "You are not invited": ("", "您未被邀请"),
    "This would exceed your own permissions": ("", "超出了您自己的权限"),
    "Requests for the host {host} are refused; allow it with ALLOWED_HOSTS": (
        "",
        "拒绝访问主机 {host}；可通过 ALLOWED_HOSTS 允许",
    ),
    "Not found": ("", "资源不存在"),
    "No route matches this path": ("", "没有接口与此路径匹配"),
    "This method is not allowed here": ("", "不支持该请求方法"),
    "The state does not allow this": ("", "当前状态不允许此操作"),
    "At least one active super administrator must remain": ("", "必须保留至少一个启用的超级管理员"),
    "You cannot do this to yourself": ("", "不能对自己执行此操作"),
    "A seeded role cannot be renamed": ("", "系统内置角色不能改名"),
    "A seeded role cannot be deleted": ("", "系统内置角色不能删除"),
    "The super administrator must keep all permissions": ("", "超级管理员必须保留全部权限"),
    "Users still have this role": ("", "仍有用户使用该角色"),
    "A team with members needs an admin": ("", "有成员的团队必须保留管理员"),
    "The other member was deleted, so nobody would read this": ("", "对方账号已删除，无法发送消息"),
    "The folder is not empty": ("", "文件夹不为空"),
    "A folder cannot be moved into itself": ("", "文件夹不能移动到自身或其子文件夹中"),
    "Folders cannot be nested more than {levels} levels deep": ("", "文件夹最多嵌套 {levels} 层"),
    "You may own at most {number} of these": ("", "此类内容您最多可拥有 {number} 个"),
    "The body is too large": ("", "请求体过大"),
    "The headers are too large": ("", "请求头过大"),
    "The server has no room for this at the moment": ("", "服务器暂时没有空间处理该请求"),
    "Your storage is full": ("", "存储空间已满"),
    "The file has no such range": ("", "文件中没有所请求的范围"),
    "Send JSON, with Content-Type: application/json": ("", "请发送 JSON（Content-Type: application/json）"),
    "Send a form, with Content-Type: multipart/form-data": ("", "请发送表单（Content-Type: multipart/form-data）"),
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
    "Not a file.": ("type", "应为文件"),
    "Not a valid integer.": ("type", "应为整数"),
    "Not a valid number.": ("type", "应为数字"),
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
    "More than {max} people.": ("too_long", "最多 {max} 人"),
    "Longer than {max} bytes.": ("too_long", "不能超过 {max} 字节"),
    "Length must be between {min} and {max}.": ("out_of_range", "长度应在 {min} 与 {max} 之间"),
    "Must be one of: {choices}.": ("not_one_of", "应为以下之一：{choices}"),
    "Allowed: {choices}.": ("not_one_of", "可用的值：{choices}"),
    "Must be *, resource:* or resource:action.": ("invalid", "应为 *、资源:* 或 资源:操作"),
    "Must not be before the start.": ("out_of_range", "不能早于开始时间"),
    "Must be a later day than the start: the end of an all-day event is exclusive.": (
        "out_of_range",
        "应晚于开始日期：全天日程不包含结束当天",
    ),
    "Must be from {min} to {max}.": ("out_of_range", "应在 {min} 至 {max} 之间"),
    "Must be milliseconds up to {max}, such as 800 or 200-800.": (
        "out_of_range",
        "应为不超过 {max} 的毫秒数，例如 800 或 200-800",
    ),
    "Give delay, status or body.": ("required", "请填写 delay、status 或 body"),
    "Not a path under /api.": ("invalid", "应为 /api 下的路径"),
    "Not a time zone.": ("invalid_zone", "应为 IANA 时区，例如 Asia/Shanghai"),
    "There is no such row.": ("unknown_id", "引用的记录不存在"),
    "There is no such role.": ("unknown_id", "角色不存在"),
    "Give either recipientId or conversationId.": ("required", "recipientId 与 conversationId 须填且只填其一"),
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


@limits.remembered(4096)
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
