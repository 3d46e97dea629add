"""The home page in a browser: what a front-end developer does on it, in both languages, with and without a mouse."""

from __future__ import annotations

import shlex
from urllib.parse import parse_qs, urlsplit

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect

#: SQLite only: a browser does not see which database answers.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
EMAIL, PASSWORD = "demo@halolight.h7ml.cn", "123456"
expect.set_options(timeout=20_000)

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


def press(page, name):
    """Reach the button with the Tab key alone and press it with Enter."""
    wanted = page.get_by_role("button", name=name)
    for _ in range(60):
        page.keyboard.press("Tab")
        if wanted.evaluate("button => button === document.activeElement"):
            return page.keyboard.press("Enter")
    raise AssertionError(f"{name} is out of reach of the Tab key")


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


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_screen(page, home, width, language):
    post(page, f"{home}/api/auth/forgot-password", email=EMAIL)
    page.set_viewport_size({"width": width, "height": 800})
    page.evaluate("language => localStorage.setItem('language', language)", language)
    page.reload()
    page.locator("#try button").click()
    expect(page.locator("#reply")).to_be_visible()
    expect(page.locator("#requests")).to_contain_text("_delay")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("h1").count() == 1


def test_nothing_stands_at_the_foot_before_something_happened(page, home):
    notice = page.locator("#notice")
    assert notice.bounding_box()["height"] == 0
    page.get_by_role("button", name=f"复制令牌: {EMAIL}").click()
    said(page, "已复制")
    assert notice.bounding_box()["height"] > 20


def test_a_copied_token_is_that_account_s(page, home):
    page.get_by_role("button", name=f"复制令牌: {EMAIL}").click()
    said(page, "已复制")
    token = page.evaluate("navigator.clipboard.readText()")
    assert me(page, home, token).json()["data"]["email"] == EMAIL


def test_a_copied_curl_line_is_complete(page, home):
    page.get_by_role("button", name=f"复制 curl: {EMAIL}").click()
    said(page, "已复制")
    curl, option, header, url = shlex.split(page.evaluate("navigator.clipboard.readText()"))
    assert (curl, option) == ("curl", "-H")
    assert page.request.get(url, headers=dict([header.split(": ")])).json()["data"]["email"] == EMAIL


def test_without_a_clipboard_the_text_stands_selected(page, home):
    page.evaluate("delete Navigator.prototype.clipboard")
    page.get_by_role("button", name=f"复制令牌: {EMAIL}").click()
    expect(page.locator("#copied")).to_be_focused()
    assert me(page, home, page.evaluate("getSelection().toString()")).json()["data"]["email"] == EMAIL


def test_a_hostile_name_is_text(page, home):
    name, token = "<img src=x onerror=console.error(1)>", log_in(page, home).json()["accessToken"]
    reply = page.request.put(f"{home}/api/users/me", data={"name": name}, headers={"Authorization": f"Bearer {token}"})
    assert reply.ok
    page.reload()
    expect(page.locator("#accounts")).to_contain_text(name)
    assert page.locator("section img").count() == 0


def test_tokens_expire_and_data_come_back_by_keyboard_alone(page, home):
    token = log_in(page, home).json()["accessToken"]
    headers = {"Authorization": f"Bearer {token}"}
    assert page.request.put(f"{home}/api/users/me", data={"name": "另一个名字"}, headers=headers).ok
    press(page, "让访问令牌过期")
    said(page, "访问令牌")
    assert me(page, home, token).json()["error"]["reason"] == "expired_token"
    press(page, "恢复演示数据")
    said(page, "演示数据")
    expect(page.locator("#accounts")).to_contain_text("王小明")
    expect(page.locator("#accounts")).not_to_contain_text("另一个名字")


def test_a_request_is_slow_and_fails_as_asked(page, home, complaints):
    page.get_by_label("延迟").fill("300")
    page.get_by_label("状态码").fill("503")
    page.get_by_role("button", name="发送请求").click()
    expect(page.locator("#reply")).to_contain_text("SERVICE_UNAVAILABLE")
    said(page, "503, ")
    expect(page.locator("#requests")).to_contain_text("/api/users/me?_delay=300&_status=503")
    assert len(complaints) == 1 and "503" in complaints.pop()


def test_the_last_requests_are_shown_on_demand_or_while_they_are_followed(page, home):
    token = log_in(page, home).json()["accessToken"]
    for colour, show in (("red", page.locator("#requests-refresh").click), ("blue", page.locator("#follow").check)):
        page.request.get(f"{home}/api/tasks?{colour}=1", headers={"Authorization": f"Bearer {token}"})
        show()
        expect(page.locator("#requests")).to_contain_text(f"/api/tasks?{colour}=1")
        expect(page.locator("#requests em", has_text=f"已忽略： {colour}")).to_be_visible()
    page.request.get(f"{home}/api/contacts", headers={"Authorization": f"Bearer {token}"})
    expect(page.locator("#requests")).to_contain_text("/api/contacts")


def test_a_forgotten_password_is_set_anew_with_the_link_in_the_mail(page, home):
    post(page, f"{home}/api/auth/forgot-password", email=EMAIL)
    page.get_by_role("button", name="刷新邮件").click()
    link = page.locator("#mails a").get_attribute("href")
    token = parse_qs(urlsplit(link).query)["token"][0]
    assert post(page, f"{home}/api/auth/reset-password", token=token, password="another-1").ok
    assert log_in(page, home, "another-1").ok
    page.get_by_role("button", name="刷新邮件").click()
    expect(page.locator("#mails")).to_contain_text("已使用或已过期")


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


def test_the_lines_for_vite_name_this_server(page, home):
    page.get_by_role("button", name="复制代理配置").click()
    said(page, "已复制")
    assert f'proxy: {{ "/api": "{home}" }}' in page.evaluate("navigator.clipboard.readText()")
