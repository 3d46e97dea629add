"""The home page in a browser: what a front-end developer does on it, in both languages, with and without a mouse."""

from __future__ import annotations

import itertools
import os
import shlex
import shutil
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.servers import BROWSER_OPTIONS, BROWSERS, a_server, show_only

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect

#: SQLite only: a browser does not see which database answers.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
EMAIL, PASSWORD = "demo@halolight.h7ml.cn", "123456"
expect.set_options(timeout=20_000)

#: How far what stands on the page was moved by what came later, but for what a person did.
SHIFT = """new PerformanceObserver((list) => {
  for (const { value, hadRecentInput } of list.getEntries()) if (!hadRecentInput) globalThis.shift += value;
}).observe({ type: "layout-shift", buffered: true }); globalThis.shift = 0;"""

#: As much of axios as the snippet on the page uses, over fetch.
AXIOS = """() => {
  const create = ({ baseURL = "" } = {}) => {
    let before = (config) => config, failed = (error) => { throw error; };
    const send = async (given) => {
      const config = before({ ...given, headers: { "Content-Type": "application/json", ...given.headers } });
      const { url, method, headers, data } = config;
      const reply = await fetch(baseURL + url, { method, headers, body: data && JSON.stringify(data) });
      const response = { status: reply.status, data: await reply.json() };
      return reply.ok ? response : failed(Object.assign(new Error(reply.status), { config, response }));
    };
    const interceptors = { request: { use: (f) => { before = f; } }, response: { use: (_, f) => { failed = f; } } };
    const post = (url, data) => send({ url, data, method: "POST" });
    return Object.assign(send, { interceptors, post, get: (url) => send({ url }) });
  };
  globalThis.axios = Object.assign(create(), { create });
}"""


@pytest.fixture
def home(page, serve):
    """The URL of the server whose home page is open, in Chinese."""
    url = serve().url
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=url)
    page.goto(url)
    expect(page.locator("#accounts")).to_contain_text(EMAIL)
    return url


def post(page, url, **body):
    return page.request.post(url, data=body)


def log_in(page, url, password=PASSWORD):
    return post(page, f"{url}/api/auth/login", email=EMAIL, password=password)


def me(page, url, token):
    return page.request.get(f"{url}/api/auth/me", headers={"Authorization": f"Bearer {token}"})


def said(page, text):
    expect(page.get_by_role("status")).to_contain_text(text)


def press(page, name, key="Enter", role="button"):
    """Reach the button, link or field with the Tab key alone, and press a key there."""
    wanted = page.get_by_role(role, name=name).first
    for _ in range(90):
        page.keyboard.press("Tab")
        if wanted.evaluate("node => node === document.activeElement"):
            return page.keyboard.press(key)
    raise AssertionError(f"{name} is out of reach of the Tab key")


def asks(page, url, *paths):
    """What a front end asks for with the account's token."""
    headers = {"Authorization": f"Bearer {log_in(page, url).json()['accessToken']}"}
    for path in paths:
        page.request.get(f"{url}{path}", headers=headers)


def test_the_browser_chooses_the_language_first_and_then_the_person(chromium, page, home):
    expect(page.get_by_role("heading", name="账号")).to_be_visible()
    page.get_by_role("button", name="English").click()
    page.reload()
    expect(page.get_by_role("heading", name="Accounts")).to_be_visible()
    assert page.locator("html").get_attribute("lang") == "en"
    with chromium.new_context(locale="en-GB") as context:
        another = context.new_page()
        another.goto(home)
        expect(another.get_by_role("heading", name="Accounts")).to_be_visible()


def looks(chromium, url, *schemes):
    """The page in both languages, at both widths and in these colour schemes, each after its data has come."""
    for language, width, scheme in itertools.product(("zh-CN", "en-GB"), (360, 1280), schemes):
        with chromium.new_context(
            locale=language, viewport={"width": width, "height": 900}, color_scheme=scheme
        ) as context:
            another = context.new_page()
            another.add_init_script(SHIFT)
            another.goto(url)
            expect(another.locator("#requests a").first).to_be_attached()
            yield another


def test_nothing_is_wider_than_the_screen_and_nothing_moves_when_data_come(chromium, page, home):
    post(page, f"{home}/api/auth/forgot-password", email=EMAIL)
    post(page, f"{home}/api/demo/rules", path=f"/api/{'a' * 190}", delay="200-800", status=503, body="cut")
    asks(page, home, f"/api/tasks?{'b' * 300}=1")
    for look in looks(chromium, home, "light"):
        expect(look.locator("#connection")).to_have_class("badge s2")
        width = look.viewport_size["width"]
        assert look.evaluate("document.documentElement.scrollWidth") <= width
        assert look.evaluate("globalThis.shift") < 0.01
        look.locator("#requests a").first.click()
        expect(look.locator("#statements pre").first).to_be_visible()
        assert look.locator("dialog").evaluate("node => node.scrollWidth") <= width
        look.keyboard.press("Escape")


@pytest.mark.skipif("AXE_CORE" not in os.environ, reason="AXE_CORE names no axe.min.js (npm install axe-core)")
def test_axe_finds_nothing(chromium, page, home):
    asks(page, home, "/api/tasks?colour=red")
    post(page, f"{home}/api/auth/forgot-password", email=EMAIL)
    post(page, f"{home}/api/demo/rules", path="/api/*", delay=1)
    for look in looks(chromium, home, "light", "dark"):
        look.evaluate(Path(os.environ["AXE_CORE"]).read_text("utf-8"))
        for row in (None, look.locator("#requests a").first):
            if row:
                row.click()
                expect(look.locator("#statements pre").first).to_be_visible()
            found = look.evaluate("async () => (await axe.run()).violations")
            assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []


def test_a_token_a_curl_line_and_a_line_for_the_console_are_copied_and_it_is_said(page, home):
    notice, copied = page.locator("#notice"), []
    assert notice.bounding_box()["height"] == 0
    for label in ("复制令牌", "复制 curl", "复制登录语句，粘贴到页面的控制台"):
        page.locator("#said").evaluate("node => { node.textContent = ''; }")
        page.get_by_role("button", name=f"{label}: {EMAIL}").click()
        said(page, "已复制")
        copied.append(page.evaluate("navigator.clipboard.readText()"))
    assert notice.bounding_box()["height"] > 20
    token, curl, line = copied
    assert me(page, home, token).json()["data"]["email"] == EMAIL
    program, option, header, url = shlex.split(curl)
    assert (program, option) == ("curl", "-H")
    assert page.request.get(url, headers=dict([header.split(": ")])).json()["data"]["email"] == EMAIL
    page.evaluate(line)
    stored = page.evaluate("({ ...localStorage })")
    assert me(page, home, stored["accessToken"]).ok
    assert post(page, f"{home}/api/auth/refresh", refreshToken=stored["refreshToken"]).ok


def test_the_documentation_opens_logged_in_as_an_account(page, home):
    show_only(page, home, "/api/auth/me")
    page.get_by_role("button", name=f"打开文档并登录: {EMAIL}").click()
    operation = page.locator("#operations-auth-getCurrentUser")
    operation.locator("button.opblock-summary-control").click()
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table")).to_contain_text(EMAIL)


def test_without_a_clipboard_the_text_stands_selected(page, home):
    page.evaluate("delete Navigator.prototype.clipboard")
    page.get_by_role("button", name=f"复制令牌: {EMAIL}").click()
    expect(page.locator("#copied")).to_be_focused()
    assert me(page, home, page.evaluate("getSelection().toString()")).json()["data"]["email"] == EMAIL


def test_hostile_names_are_text(page, home):
    name, token = "<img src=x onerror=console.error(1)>", log_in(page, home).json()["accessToken"]
    headers = {"Authorization": f"Bearer {token}"}
    reply = page.request.put(f"{home}/api/users/me?{name}=1", data={"name": name, name: 1}, headers=headers)
    assert reply.ok
    expect(page.locator("#accounts")).to_contain_text(name)
    expect(page.locator("#requests")).to_contain_text(name)
    page.locator("#requests a").first.click()
    expect(page.locator("#facts")).to_contain_text(name)
    assert page.locator("section img, dialog img").count() == 0


def test_tokens_expire_and_another_set_and_the_data_come_back_by_keyboard_alone(page, home):
    token = log_in(page, home).json()["accessToken"]
    press(page, "让访问令牌过期")
    said(page, "访问令牌")
    assert me(page, home, token).json()["error"]["reason"] == "expired_token"
    expect(page.get_by_role("button", name="中文", pressed=True)).to_be_visible()
    press(page, "英文")
    expect(page.get_by_role("button", name="英文", pressed=True)).to_be_visible()
    expect(page.locator("#accounts")).not_to_contain_text("王小明")
    post(page, f"{home}/api/demo/reset", set="empty")  # a test, say: the page follows
    expect(page.get_by_role("button", name="空数据", pressed=True)).to_be_visible()
    press(page, "恢复演示数据")
    said(page, "演示数据")
    assert page.request.get(f"{home}/api/demo/set").json()["data"] == {"set": "empty"}


def test_a_rule_is_made_shown_and_removed_by_keyboard_alone(page, home):
    press(page, "示例", "ArrowDown", role="combobox")  # all that follows is slow
    expect(page.get_by_label("延迟（毫秒）")).to_have_value("800")
    press(page, "状态码", "4", role="spinbutton")
    page.keyboard.type("18")
    press(page, "添加规则")
    expect(page.locator("#rules li")).to_have_text("/api/* 800 ms 418 已用 0移除")
    assert page.request.get(f"{home}/api/tasks").status == 418
    expect(page.locator("#rules")).to_contain_text("已用 1")
    press(page, "移除: /api/*")
    expect(page.locator("#rules")).to_have_text("暂无")
    expect(page.get_by_role("region", name="规则")).to_be_focused()
    assert page.request.get(f"{home}/api/tasks").status == 401


def test_a_rule_says_all_that_it_was_told_and_what_is_wrong_with_it(page, home, complaints):
    page.get_by_label("方法").select_option("PUT")
    page.get_by_label("仅限账号").select_option(EMAIL)
    page.get_by_label("路径").fill("/api/tasks/:id")
    page.get_by_label("次数").fill("2")
    page.get_by_label("概率").fill("12.5")
    page.get_by_label("响应只发一半").check()
    page.get_by_label("延迟").fill("20000")
    page.get_by_role("button", name="添加规则").click()
    said(page, "delay 应为不超过 10000 的毫秒数")
    assert "400" in complaints.pop()
    page.get_by_label("延迟").fill("200-800")
    page.get_by_role("button", name="添加规则").click()
    rule = "PUT /api/tasks/:id 200-800 ms 截断 12.5 % · demo@halolight.h7ml.cn · 已用 0 / 2移除"
    expect(page.locator("#rules li")).to_have_text(rule)
    page.get_by_role("button", name="全部移除").click()
    expect(page.locator("#rules")).to_have_text("暂无")


def test_the_clock_stands_runs_on_and_is_the_machine_s_again(page, home):
    for button, state in (("停在此刻", "静止"), ("从此刻走", "已调，在走")):
        page.get_by_label("时间", exact=True).fill("2028-02-29T09:30")
        page.get_by_role("button", name=button).click()
        expect(page.locator("#clock")).to_have_text(state)
        expect(page.locator("#now")).to_contain_text("2028年2月29日 09:30:")
    page.get_by_role("button", name="本机时间").click()
    expect(page.locator("#clock")).to_have_text("本机")
    expect(page.locator("#now")).not_to_contain_text("2028年")
    assert page.request.get(f"{home}/api/demo/clock").json()["data"]["set"] is False


def test_requests_are_followed_and_filtered_and_one_is_explained(page, home):
    asks(page, home, "/api/tasks?colour=red", "/api/contacts", "/api/users/99999")
    rows = page.locator("#requests tr")
    expect(rows).to_have_count(4)
    expect(rows.nth(2)).to_contain_text("/api/tasks?colour=red")
    page.get_by_label("仅看错误和被忽略的").check()
    expect(rows).to_have_count(2)  # guests of /api/users, and `colour`
    page.get_by_label("筛选").fill("get COLOUR")
    expect(page.locator("#counted")).to_have_text("1 / 4")
    press(page, "GET /api/tasks?colour=red", role="link")
    explained = page.get_by_role("dialog", name="GET /api/tasks?colour=red")
    for text in ("tasks.list_tasks", "tasks:view", "colour", "/api/tasks"):
        expect(explained.locator("#facts")).to_contain_text(text)
    expect(explained.locator("#statements")).to_contain_text('FROM "tasks"')
    page.reload()  # its address is that of the request
    expect(explained.locator("#statements")).to_contain_text('FROM "tasks"')
    page.keyboard.press("Escape")
    expect(explained).to_be_hidden()
    expect(page).to_have_url(f"{home}/")
    page.locator("#requests a", has_text="/api/users/99999").click()
    page.get_by_role("button", name="以此建规则").click()
    expect(page.get_by_label("路径")).to_have_value("/api/users/<id:user_id>")
    expect(page.get_by_label("方法")).to_have_value("GET")
    expect(page.get_by_label("延迟")).to_be_focused()


def test_nothing_is_asked_for_while_the_page_is_hidden_or_not_live(page, home):
    page.clock.install()
    page.goto(home)
    expect(page.locator("#connection")).to_have_text("已连接")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate("Object.defineProperty(document, 'hidden', { get: () => true, configurable: true })")
    page.clock.run_for(20_000)
    assert asked == []
    page.evaluate("delete document.hidden")
    with page.expect_request("**/api/demo/requests?*"):
        page.clock.run_for(4000)
    page.get_by_label("自动刷新").uncheck()
    page.wait_for_load_state("networkidle")
    asked.clear()
    page.clock.run_for(20_000)
    assert asked == []


def test_the_page_leaves_the_log_to_others_and_tells_that_a_server_is_gone(page, serve, complaints):
    server = serve()
    page.goto(server.url)
    expect(page.locator("#connection")).to_have_text("已连接")
    server.ask("GET", "/api/demo/mails")
    server.stop()
    asked = [
        line.split("- ", 1)[1].rsplit(" ", 2)[0]
        for line in server.log.read_text("utf-8").splitlines()
        if " /api" in line
    ]
    assert asked == ["GET /api/demo/mails 200"]
    expect(page.locator("#connection")).to_have_text("无响应")
    page.get_by_label("自动刷新").uncheck()
    assert complaints and all("ERR_" in line for line in complaints)
    complaints.clear()


def test_a_forgotten_password_is_set_anew_with_the_link_in_the_mail(page, home):
    post(page, f"{home}/api/auth/forgot-password", email=EMAIL)
    page.get_by_role("button", name=f"复制链接: {EMAIL}").click()
    said(page, "已复制")
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == page.locator("#mails a").get_attribute("href")
    token = parse_qs(urlsplit(link).query)["token"][0]
    assert post(page, f"{home}/api/auth/reset-password", token=token, password="another-1").ok
    assert log_in(page, home, "another-1").ok
    expect(page.locator("#mails")).to_contain_text("已使用或已过期")
    expect(page.locator("#accounts")).to_contain_text("密码已修改")


def test_the_interceptors_renew_once_for_requests_of_now_and_a_late_one(page, home, complaints):
    page.evaluate("tokens => Object.assign(localStorage, tokens)", log_in(page, home).json())
    page.evaluate(AXIOS)
    page.evaluate(f"() => {{ {page.locator('#axios').text_content()} globalThis.api = api; }}")
    post(page, f"{home}/api/demo/expire-tokens")
    renewals = []
    page.on("request", lambda request: renewals.append(1) if "/auth/refresh" in request.url else None)
    urls = ["/tasks", "/contacts", "/users/me", "/tasks?_delay=1000"]
    replies = page.evaluate("urls => Promise.all(urls.map((url) => api.get(url)))", urls)
    assert [reply["status"] for reply in replies] == [200, 200, 200, 200]
    assert len(renewals) == 1
    assert len(complaints) == 4 and all("401" in line for line in complaints)
    complaints.clear()


def test_the_lines_to_paste_name_this_server_and_those_for_fetch_work(page, home):
    lines = {
        "Vite 代理": ("复制代理配置", f'proxy: {{ "/api": "{home}" }}'),
        "HaloLight 的 Next.js 前端": ("复制 Next.js 配置", f"API_URL={home}/nestjs/api"),
        "HaloLight 的 Vue 前端": ("复制 Vue 命令", f"VITE_API_URL={home}/vue/api"),
        "fetch：登录并读取": ("复制 fetch", f'"{home}/api"'),
    }
    for title, (button, line) in lines.items():
        page.get_by_text(title).click()
        page.get_by_role("button", name=button).click()
        said(page, "已复制")
        assert line in page.evaluate("navigator.clipboard.readText()")
    pasted = page.evaluate("navigator.clipboard.readText()")
    assert page.evaluate(f"(async () => {{ {pasted} return users.data.items.length; }})()") == 10


def picture(path):
    """Write a picture of the page, as the README shows it."""
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)))
    with a_server(SEED_SET="en") as server, sync_api.sync_playwright() as playwright:
        token = server.log_in("demo@halolight.h7ml.cn")
        for asked in ("users/me", "dashboard/stats", "documents?sort=-updatedAt", "roles", "tasks?state=open"):
            server.ask("GET", f"/api/{asked}", token=token)
        server.ask("POST", "/api/tasks", {"title": "Write it down"}, token=token)
        browser = playwright.chromium.launch(executable_path=program, args=[*BROWSER_OPTIONS, "--disable-lcd-text"])
        page = browser.new_page(locale="en-GB", viewport={"width": 1280, "height": 740})
        page.goto(server.url)
        expect(page.locator("#connection")).to_have_text("connected")
        page.screenshot(path=path)
        browser.close()


if __name__ == "__main__":  # python -m tests.test_home docs/images/home.png
    picture(sys.argv[1])
