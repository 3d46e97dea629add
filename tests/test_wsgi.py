"""Other WSGI servers than our own: installed and started by the commands of docs/deploying.md, on Postgres."""

import http.client
import os
import re
import shlex
import signal
import site
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psutil
import pytest

from tests.conftest import TIMEZONE
from tests.servers import ROOT, Server, at_once, statuses, until, upload
from tests.test_deploy import DOCS, TEXT, free_port

pytestmark = pytest.mark.thorough

SECTION = DOCS.partition("## Under gunicorn or granian")[2].partition("\n## ")[0]
#: The name of a server → the commands that install and start it.
COMMANDS = {
    install.split()[-1].partition("==")[0]: (install, start)
    for install, start in re.findall("```bash\n(pip install .*)\n(.*)\n```", SECTION)
}

#: What each of its two processes says when it can be told to end.
STARTED = {"gunicorn": "Booting worker", "granian": "Started worker"}


@pytest.fixture(scope="module")
def environment(request, tmp_path_factory):
    """A virtual environment that has the packages of this one, and in which more can be installed."""
    if not request.config.getoption("thorough"):
        pytest.skip("it installs packages from PyPI; --thorough does it")
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    (packages,) = folder.glob("lib/*/site-packages")
    (packages / "ours.pth").write_text("\n".join(site.getsitepackages()))
    return {**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}"}


def installed(command, environment):
    """Run a `pip install` of the documentation; the test is skipped where PyPI is out of reach."""
    done = subprocess.run(shlex.split(command), env=environment, **TEXT)
    if "(from versions: none)" in done.stderr:
        pytest.skip(f"PyPI is out of reach: {command}")
    assert done.returncode == 0, done.stderr


@pytest.fixture(params=COMMANDS)
def server(request, environment, postgres_database, tmp_path):
    install, start = COMMANDS[request.param]
    installed(install, environment)
    port, log = str(free_port()), tmp_path / "log"
    assert start.count("8001") == 1
    variable, *command = shlex.split(start.replace("8001", port))
    chosen = {"DATABASE_URL": postgres_database.ready(), "TIMEZONE": TIMEZONE, "NODE_ENV": "development"}
    variables = {**environment, **chosen, **dict([variable.split("=")])}
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=output, stderr=output)
    running = Server(process, f"http://127.0.0.1:{port}", [], log)
    try:
        until(
            lambda: log.read_text().count(STARTED[request.param]) == 2 and running.ask("GET", "/health")[0] == 200, 60
        )
        yield running
    finally:
        both = [] if process.poll() is not None else workers(running)
        process.terminate()
        for left in psutil.wait_procs(both, 10)[1]:
            left.kill()
        process.wait(10)


def workers(server):
    return psutil.Process(server.process.pid).children()


def used(server):
    """The seconds of CPU that each of its processes has used."""
    return [sum(worker.cpu_times()[:2]) for worker in workers(server)]


def test_both_processes_of_another_server_renew_one_session_and_answer_lists(server):
    tokens = server.call("POST", "/api/auth/login", {"email": "admin@example.com", "password": "123456"})[1]
    before, token = used(server), tokens["refreshToken"]

    def go_on():
        nonlocal token
        replies = at_once([lambda: server.call("POST", "/api/auth/refresh", {"refreshToken": token})] * 8)
        assert statuses(replies) == {200: 8}
        (token,) = {reply["refreshToken"] for _, reply in replies}
        access = replies[0][1]["accessToken"]
        pages = at_once([lambda: server.call("GET", "/api/users?pageSize=5", None, access)] * 8)
        assert {(status, len(page["data"]["items"]), page["data"]["total"]) for status, page in pages} == {(200, 5, 30)}
        return min(now - then for now, then in zip(used(server), before, strict=True)) > 0.1

    until(go_on, 60)


def test_a_file_is_taken_and_given_by_another_server_whole_and_in_ranges(server):
    token, content = server.log_in(), os.urandom(700_000)
    status, reply = upload(server, token, content)
    assert status == 201 and reply["data"]["url"].startswith(f"{server.url}/api/files/raw/")
    with closing(http.client.HTTPConnection(server.url.removeprefix("http://"))) as connection:
        for headers, expected in (({}, content), ({"Range": "bytes=300000-599999"}, content[300_000:600_000])):
            connection.request("GET", reply["data"]["url"].removeprefix(server.url), headers=headers)
            response = connection.getresponse()
            assert (response.status, response.read() == expected) == (206 if headers else 200, True)


def test_errors_under_another_server_are_in_the_envelope_and_requests_have_their_id(server):
    token = server.log_in()
    for method, path, body, status in (
        ("GET", "/api/nothing", None, 404),
        ("GET", "/api/users/me", None, 401),
        ("POST", "/api/tasks", {"title": 1}, 400),
        ("DELETE", "/api/users", None, 405),
    ):
        got, reply = server.call(method, path, body, token if status != 401 else "", X_Request_ID=f"my-{status}")
        assert (got, reply["success"], reply["error"]["requestId"]) == (status, False, f"my-{status}"), reply
        until(lambda status=status: f"my-{status}" in server.log.read_text())


def test_another_server_that_is_told_to_end_answers_what_it_was_sent(server):
    token = server.log_in()
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(server.ask, "GET", f"/api/users?_delay=2000&page={n}", None, token) for n in range(1, 9)]
        time.sleep(1)
        server.process.send_signal(signal.SIGTERM)
        assert [reply.result()[0] for reply in asked] == [200] * 8
    assert server.process.wait(30) == 0


def test_old_rows_are_deleted_by_the_documented_command(environment, database_url):
    (command,) = re.findall(r"from cron: `(python -c .*?)`", SECTION)
    done = subprocess.run(command, shell=True, cwd=ROOT, env={**environment, "DATABASE_URL": database_url}, **TEXT)
    assert (done.returncode, done.stderr) == (0, "")
