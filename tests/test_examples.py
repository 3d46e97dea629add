"""The examples for front-end developers: built by npm with the commands of their READMEs, and used in a browser."""

import functools
import os
import re
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.servers import ROOT, browser_path, launched

npm = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
EXAMPLES = ROOT / "examples"


@pytest.fixture
def full(request):
    """Skip what installs packages with npm, unless all is asked for."""
    if not request.config.getoption("thorough"):
        pytest.skip("npm install takes long; --thorough does it")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@contextmanager
def served(folder: Path):
    """The files of a folder on a port of localhost."""
    handler = functools.partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


def copied(name: str, folder: Path) -> Path:
    """A clean copy of an example, with the document at the place where it looks for it."""
    made = shutil.ignore_patterns("node_modules", "dist", "schema.d.ts", "screenshots", "test-results")
    (folder / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "openapi.json", folder / "docs")
    return shutil.copytree(EXAMPLES / name, folder / "examples" / name, ignore=made)


def run(command: str, folder: Path, **variables: str) -> str:
    """What a command of a README says; the test fails with it if the command does."""
    done = subprocess.run(
        command, shell=True, cwd=folder, env={**os.environ, **variables}, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def build_command(example: Path) -> str:
    """The first command of the README."""
    found = re.search(r"```bash\n([^#\n]+)", (example / "README.md").read_text())
    assert found
    return found[1].strip()


@pytest.fixture
def api(tmp_path):
    """The address of a server of its own, which Chromium may ask from any port of localhost."""
    command = [sys.executable, str(ROOT / "halolight.py"), "--throwaway", "--set", "en"]
    server = launched(command, tmp_path, tmp_path / "server.log", dict(os.environ))
    yield server.url
    server.stop()


@pytest.fixture
def page(chromium):
    """A page in a window of its own; what its developer tools show in red fails the test, but for refused requests."""
    complaints = []
    context = chromium.new_context(locale="en-US")
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    yield page
    context.close()
    assert [text for text in complaints if not text.startswith("Failed to load resource")] == []


@npm
@pytest.mark.thorough
def test_typescript(full, tmp_path, api, page):
    example = copied("typescript", tmp_path)
    run(build_command(example), example)
    sources = [path.read_text() for path in (example / "src").glob("*.ts") if path.name != "schema.d.ts"]
    assert [
        text for text in sources if re.search(r"\bany\b|\bas (?!const)|@ts-|<unknown>", re.sub("//.*|/\\*.*", "", text))
    ] == []
    asked = []
    page.on("request", lambda request: asked.append(request.url.partition("/api/")[2]))
    with served(example) as address:
        page.goto(f"{address}/?api={api}")
        page.fill("[name=password]", "wrong")
        page.click("#login button")
        page.get_by_text("Wrong account or password").wait_for()
        page.fill("[name=password]", "123456")
        page.click("#login button")
        page.locator("#tasks li").nth(4).wait_for()

        page.fill("#progress", "400")
        page.click("#task button")
        page.locator("output[for=progress]", has_text="100").wait_for()
        assert page.inner_text("output[for=title]") != ""
        page.fill("#title", "From the example")
        page.fill("#progress", "40")
        page.click("#task button")
        page.locator("#tasks li", has_text="From the example").wait_for()
        assert page.inner_text("output[for=progress]") == ""

        asked.clear()
        page.click("#expire")
        page.get_by_text("200 200 200").wait_for()
        assert asked.count("auth/refresh") == 1 and asked.count("users/me") == 2

        page.set_input_files("#file", {"name": "report.txt", "mimeType": "text/plain", "buffer": b"x" * 3_000_000})
        page.get_by_text("report.txt, 3000000 bytes").wait_for()
        assert page.evaluate("document.querySelector('progress').value") == 1


#: Whether the titles that a page shows are sorted.
SORTED = """() => {
    const titles = [...document.querySelectorAll("td.column-title")].map(e => e.innerText.toLowerCase());
    return titles.length == 10 && titles.every((title, i) => !i || titles[i - 1] <= title);
}"""


def log_in(page, account):
    page.fill("[name=username]", account)
    page.fill("[name=password]", "123456")
    page.click("button[type=submit]")


@npm
@pytest.mark.thorough
def test_react_admin(full, tmp_path, api, page):
    example = copied("react-admin", tmp_path)
    run(build_command(example), example, VITE_API=api)
    for name in ("dataProvider.ts", "authProvider.ts"):
        assert len((example / "src" / name).read_text().splitlines()) < 120
    rows = page.locator("tbody tr")
    with served(example / "dist") as address:
        page.goto(address)
        log_in(page, "admin@example.com")
        rows.nth(9).wait_for()
        page.get_by_text("1-10 of 20").wait_for()
        page.locator("td.column-assigneeId", has_text=re.compile(r"[A-Z]\w+ [A-Z]")).first.wait_for()  # by reference
        page.screenshot(path=tmp_path / "react-admin.png")
        page.get_by_label("Go to page 2").click()
        page.get_by_text("11-20 of 20").wait_for()
        page.get_by_role("button", name="Sort by title").click()  # back to the first page
        page.wait_for_function(SORTED)
        page.locator(".RaFilterFormInput-spacer, form").get_by_label("Status").click()
        page.get_by_role("option", name="done").click()
        page.wait_for_function("[...document.querySelectorAll('td.column-status')].every(e => e.innerText == 'done')")
        titles = page.locator("td.column-title").all_inner_texts()
        page.fill("[name=search]", titles[0])
        page.get_by_text("1-1 of 1").wait_for()

        with page.expect_download() as download:
            page.get_by_role("button", name="Export").click()
        exported = download.value.path().read_text("utf-8")
        assert titles[0] in exported and exported.count("\n") >= 1

        rows.first.click()
        page.fill("[name=progress]", "400")
        page.get_by_role("button", name="Save").click()
        page.locator(".Mui-error", has_text="100").first.wait_for()
        page.fill("[name=progress]", "55")
        page.fill("[name=title]", "Changed in react-admin")
        page.request.post(f"{api}/api/demo/expire-tokens")  # the next request renews the token
        page.get_by_role("button", name="Save").click()
        page.get_by_text("Element updated").wait_for()

        page.evaluate("localStorage.clear()")
        page.goto(address)
        log_in(page, "auditor@halolight.h7ml.cn")  # reads everybody's rows and changes none
        page.goto(f"{address}/#/tasks")
        rows.nth(9).wait_for()
        assert page.get_by_role("button", name="Export").count() == 1
        assert page.get_by_label("Create").count() == page.get_by_role("checkbox").count() == 0


@npm
@pytest.mark.thorough
def test_playwright(full, tmp_path):
    example = copied("playwright", tmp_path)
    variables = {"PYTHON": sys.executable, "HALOLIGHT": str(ROOT / "halolight.py")}
    variables |= {"CHROMIUM": browser_path(), "TMPDIR": str(tmp_path)}
    told = run(build_command(example), example, **variables)
    assert re.search(r"^  20 passed", told, re.MULTILINE) and "Running 20 tests using 2 workers" in told
    assert (
        run("npm test -- --grep 'a day'", example, **variables).count("✓") == 1
    )  # equal to the screenshot taken before
    assert list(tmp_path.glob("halolight-*")) == []


@npm
@pytest.mark.thorough
def test_linters(full, tmp_path):
    example = copied("linters", tmp_path)
    told = run(build_command(example), example)
    assert "Your API description is valid" in told and "No results with a severity" in told
    assert "warnings" not in told


#: The options with which the recipes are checked, as a strict project has them.
TSC = "npx tsc --noEmit --strict --noUncheckedIndexedAccess --skipLibCheck --target es2022 --module es2022 \
  --moduleResolution bundler --lib es2022,dom,dom.iterable --types node"


@npm
@pytest.mark.thorough
def test_recipes(full, tmp_path):
    text = (ROOT / "docs" / "recipes.md").read_text("utf-8")
    blocks = re.findall(r"```(bash|ts)\n(.*?)```", text, re.DOTALL)
    shutil.copy(ROOT / "docs" / "openapi.json", tmp_path)
    (tmp_path / "src").mkdir()
    names = []
    for language, block in blocks:
        if language == "ts":
            assert len(block.splitlines()) <= 30
            names.append(block.splitlines()[0].removeprefix("// "))
            (tmp_path / names[-1]).write_text(block)
    commands = [line for language, block in blocks if language == "bash" for line in block.splitlines()]
    for command in commands:
        told = run(command, tmp_path)
        assert "openapi.json" not in command or "arn" not in re.sub("npm warn.*", "", told)
    run(f"{TSC} {' '.join(names)}", tmp_path)
    assert len(names) == 7
