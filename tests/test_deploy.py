"""The container's files done step by step without Docker, and nginx with our configuration before two processes."""

import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path

import psutil
import psycopg
import pytest
import yaml

from tests.servers import ROOT, Server, launched, until, upload
from web.config import VARIABLES

COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
HALOLIGHTS = ("halolight1", "halolight2")
#: What an operator chooses in `.env`; SEED_DEMO, to have accounts.
CHOSEN = {"JWT_SECRET": "j" * 32, "POSTGRES_PASSWORD": "p" * 48, "SEED_DEMO": "true", "LOGIN_RATE_LIMIT": "4"}
LOGIN = {"email": "admin@example.com", "password": "123456"}
TEXT = {"capture_output": True, "text": True}
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
NO_NGINX = "there is no nginx: apt-get install nginx-light"
#: What stands around our configuration.
MAIN = """
daemon off; worker_processes 2; pid nginx.pid; error_log error.log; {user}
events {{ worker_connections 1024; }}
http {{
    access_log access.log;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
    include {configuration};
}}
"""


# --- Dockerfile and .dockerignore ------------------------------------------------------------------------------------

#: The instructions that no test does, and what it does instead.
NOT_DONE = {
    "FROM python:3.13-slim": "no registry of images: the Python of the tests",
    "USER 10001": "without root or setpriv, nobody becomes somebody else",
    "VOLUME /data": "a folder",
    "EXPOSE 8000": "nothing: it does nothing by itself",
}


def instructions():
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def ignored(path):
    """Whether `.dockerignore` leaves a path out: the last line that matches it, or a folder around it, decides."""
    out, places = False, [str(place) for place in (path, *path.parents[:-1])]
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = re.escape(line.removeprefix("!")).replace(r"\*\*/", "(.*/)?").replace(r"\*", "[^/]*")
        if any(re.fullmatch(pattern, place) for place in places):
            out = not line.startswith("!")
    return out


@dataclass
class Container:
    """A folder that takes the place of `/`, in which what the Dockerfile says is done."""

    root: Path
    thorough: bool
    environment: dict[str, str] = field(default_factory=dict)
    #: What starts a program as the user of the container.
    as_user: tuple[str, ...] = ()

    def build(self):
        """Do every instruction; those that were not done."""
        python = Path(sys.executable).parent
        if self.thorough:
            python = self.root / "python" / "bin"
            subprocess.run([sys.executable, "-m", "venv", python.parent], check=True)
        self.environment["PATH"] = f"{python}:{os.environ['PATH']}:/usr/sbin"
        return [line for line in instructions() if not self.did(*line.split(" ", 1))]

    def did(self, instruction, argument):
        match instruction:
            case "WORKDIR":
                self.folder = self.root / argument.lstrip("/")
                self.folder.mkdir()
            case "COPY":
                self.copy(*argument.split())
            case "RUN":
                self.run(argument)
            case "ENV":
                name, value = argument.split("=", 1)
                self.environment[name] = self.inside(value)
            case "USER" if os.getuid() == 0 and shutil.which("setpriv"):
                # It may read everything, because the Python of the tests may be hidden from it, but has no other power.
                power = "-all,+dac_read_search"
                self.as_user = ("setpriv", "--reuid", argument, "--regid", argument, "--clear-groups")
                self.as_user += ("--bounding-set", power, "--inh-caps", power, "--ambient-caps", power)
            case "HEALTHCHECK":
                self.health = json.loads(argument.partition(" CMD ")[2])
            case "CMD":
                self.command = json.loads(argument)
            case _:
                return False
        return True

    def inside(self, text):
        """A command or a value in which `/data` lies in our folder."""
        return re.sub(r"(?<=[ /])/data\b", f"{self.root}/data", text)

    def copy(self, source, target):
        files = [path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file()] if source == "." else [source]
        for path in map(Path, files):
            if not ignored(path):
                (self.folder / target / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / path, self.folder / target / path)

    def run(self, command):
        if not self.thorough:  # it must be there already, in this very version
            command = command.replace("pip install", "pip install --dry-run --no-index")
        if os.getuid():
            command = re.sub("--(owner|group) [0-9]+", "", command)  # only root gives something away
        if command.startswith("useradd"):
            (self.root / "etc").mkdir()
            for name in ("passwd", "group", "shadow", "gshadow"):
                (self.root / "etc" / name).touch()
            command = command.replace("useradd", f"useradd --prefix {self.root}") if os.getuid() == 0 else "true"
        command, options = self.inside(command), {"cwd": self.folder, "env": self.environment}
        ended = subprocess.run(command, shell=True, **TEXT, **options)
        assert ended.returncode == 0, (command, ended.stderr)
        if "--dry-run" in command:
            assert "Would install" not in ended.stdout, ended.stdout

    def start(self, log, **variables):
        return launched([*self.as_user, *self.command], self.folder, log, {**self.environment, **variables})

    def healthy(self, **variables):
        """Whether the health check ends well, and what it says."""
        options = {"cwd": self.folder, "env": {**self.environment, **variables}, "timeout": 30}
        ended = subprocess.run([*self.as_user, *self.health], **TEXT, **options)
        return ended.returncode == 0, ended.stderr

    def files(self):
        return {path: path.stat().st_mtime_ns for path in self.folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def container(request):
    # Not below pytest's own folder, which nobody else may read.
    with tempfile.TemporaryDirectory(prefix="halolight-container-") as folder:
        Path(folder).chmod(0o755)
        made = Container(Path(folder), request.config.getoption("thorough"))
        made.left = made.build()
        yield made


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


@pytest.mark.thorough
def test_the_dockerfile_done_step_by_step_makes_a_healthy_halolight(container, tmp_path):
    assert set(container.left) <= set(NOT_DONE)
    before, port = container.files(), {"PORT": str(free_port()), "NODE_ENV": "production", "JWT_SECRET": "j" * 32}
    assert container.healthy(**port) == (False, "no answer: [Errno 111] Connection refused\n")
    server = container.start(tmp_path / "log", **port, SEED_DEMO="true", ALLOWED_HOSTS="api.example.com,other")
    with ExitStack() as stack:
        stack.callback(server.stop)
        assert container.healthy(**port, ALLOWED_HOSTS="api.example.com,other") == (True, "")
        assert container.healthy(**port)[1].startswith("403: ")  # the name that is asked for is not one of these
        assert server.call("POST", "/api/auth/login", LOGIN, Host="other")[0] == 200
    (database,) = (container.root / "data").iterdir()
    assert database.name == "halolight.db" and database.stat().st_uid == (10001 if container.as_user else os.getuid())
    assert container.files() == before  # it needs to write nothing else: `read_only` of compose.yaml is no harm


def test_nothing_but_the_program_gets_into_the_image(container):
    for name in (".env", "halolight.db", ".git/config", "tests/conftest.py", "docs/limits.md", "web/__pycache__/x.pyc"):
        assert ignored(Path(name)), name
    known = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], **TEXT, cwd=ROOT
    ).stdout.split()
    rooms = {"database", "resources", "seeds", "web"}
    program = {name for name in known if name.split("/")[0] in rooms or re.fullmatch(r"[a-z]+\.py", name)}
    copied = {str(path.relative_to(container.folder)) for path in container.files() if path.suffix != ".pyc"}
    assert copied >= program and copied - program == {"requirements.txt", "deploy/health.py"}


# --- compose.yaml ----------------------------------------------------------------------------------------------------


def interpolated(value, chosen):
    """A value of compose.yaml with what `${NAME}`, `${NAME:-default}` and `${NAME:?message}` stand for."""

    def stands_for(found):
        name, default = found[1], found[3] if found[2] == ":-" else ""
        assert chosen.get(name) or found[2] != ":?", f"{name}: {found[3]}"
        return chosen.get(name) or default

    return re.sub(r"\$\{(\w+)(?:(:[-?])([^}]*))?\}", stands_for, str(value))


def environment(service, chosen=CHOSEN):
    """The variables of a service; one without a value is passed on if it was chosen."""
    for name, value in SERVICES[service]["environment"].items():
        if value is not None or name in chosen:
            yield name, chosen[name] if value is None else interpolated(value, chosen)


def address(service):
    return SERVICES[service]["networks"]["default"]["ipv4_address"]


def order():
    """The services as they start: each after those it waits for."""
    after = {name: set(service.get("depends_on", ())) for name, service in SERVICES.items()}
    return list(TopologicalSorter(after).static_order())


def test_every_variable_reaches_both_halolights():
    for service in HALOLIGHTS:
        assert set(SERVICES[service]["environment"]) == set(VARIABLES)
        every = {name: f"value of {name}" for name in (*VARIABLES, *CHOSEN)}
        given = dict(environment(service, every))
        fixed = {name for name in VARIABLES if given[name] != every[name]}
        assert fixed == {"DATABASE_URL", "HALOLIGHT_HOST", "PORT", "TRUSTED_PROXY"}
        assert given["TRUSTED_PROXY"] == address("nginx")
        assert f"@postgres:5432/{SERVICES['postgres']['environment']['POSTGRES_DB']}" in given["DATABASE_URL"]


@pytest.mark.parametrize("missing", ["JWT_SECRET", "POSTGRES_PASSWORD"])
def test_compose_names_a_secret_that_is_missing(missing):
    with pytest.raises(AssertionError, match=f"{missing}: run openssl rand"):
        dict(environment("halolight1", {**CHOSEN, missing: ""}))


def test_services_start_in_order_and_have_time_to_end():
    assert order()[0] == "postgres" and order()[-1] == "nginx"
    for service in SERVICES.values():
        assert {wait["condition"] for wait in service.get("depends_on", {}).values()} <= {"service_healthy"}
    assert "healthcheck" in SERVICES["postgres"]  # the others have that of the Dockerfile
    assert int(SERVICES["halolight1"]["stop_grace_period"].removesuffix("s")) > 10


# --- docs/deploying.md -----------------------------------------------------------------------------------------------

DOCS = (ROOT / "docs" / "deploying.md").read_text()


def test_the_documented_configuration_without_containers_is_taken_by_nginx(tmp_path):
    if NGINX is None:
        pytest.skip(NO_NGINX)
    (command,) = re.findall("^(sed .*) > /etc/nginx/conf.d/", DOCS, re.MULTILINE)
    configuration = subprocess.run(command, shell=True, cwd=ROOT, check=True, **TEXT).stdout
    assert re.findall(r"server (\S+) fail", configuration) == ["127.0.0.1:8001", "127.0.0.1:8002"]
    # With the lines about the certificate, too.
    configuration = re.sub("# (listen|ssl_certificate)", r"\1", configuration).replace("/etc/nginx", str(tmp_path))
    for port in ("80", "443 ssl"):
        configuration = configuration.replace(f"listen {port};", f"listen 127.0.0.1:{free_port()}{port[3:]};")
    names = ["-keyout", tmp_path / "halolight.key", "-out", tmp_path / "halolight.crt", "-subj", "/CN=localhost"]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", *names], check=True, **TEXT)
    (tmp_path / "halolight.conf").write_text(configuration)
    (tmp_path / "nginx.conf").write_text(MAIN.format(user="", configuration=tmp_path / "halolight.conf"))
    tested = subprocess.run([NGINX, "-t", "-p", tmp_path, "-c", "nginx.conf"], **TEXT)
    assert tested.returncode == 0, tested.stderr


def test_the_same_driver_is_installed_everywhere():
    pins = {re.search(r"psycopg\[binary\]==[0-9.]+", text)[0] for text in (DOCS, *instructions()) if "psycopg[" in text}
    assert len(pins) == 1 and pins.pop() in (ROOT / "requirements-dev.txt").read_text()


def test_a_trusted_proxy_is_believed_under_every_server(make_app):
    claims = {"X-Forwarded-For": "9.9.9.9", "X-Forwarded-Host": "localhost:3000", "X-Forwarded-Proto": "https"}
    for proxy, address, origin in (
        ("127.0.0.1", "9.9.9.9", "https://localhost:3000"),
        ("10.0.0.1", "127.0.0.1", "http://localhost"),
    ):
        http = make_app(TRUSTED_PROXY=proxy).test_client()  # no server but the protocol that all of them speak
        user = http.post("/api/auth/login", json=LOGIN, headers=claims).json
        headers = {**claims, "Authorization": f"Bearer {user['accessToken']}"}
        sessions = http.get("/api/auth/sessions", headers=headers).json["data"]["items"]
        assert [row["address"] for row in sessions if row["current"]] == [address]
        assert user["user"]["avatar"].startswith(f"{origin}/api/avatars/")


# --- What must not belong to one process -----------------------------------------------------------------------------


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_two_processes_know_the_same_secret_sessions_attempts_and_links(serve):
    one, other = (serve(LOGIN_RATE_LIMIT="4") for _ in range(2))
    token = one.log_in()
    files = other.call("GET", "/api/files?pageSize=1", None, token)[1]["data"]["items"]
    link = files[0]["url"].removeprefix(other.url)  # signed by the one with the secret that both have
    assert (one.ask("GET", link)[0], other.ask("GET", link)[0]) == (200, 200)
    assert other.call("POST", "/api/auth/logout", {}, token)[0] == 200
    status, body = one.call("GET", "/api/users/me", None, token)
    assert (status, body["error"]["reason"]) == (401, "revoked_session")
    guesses = [server.call("POST", "/api/auth/login", {**LOGIN, "password": "wrong"})[0] for server in (one, other) * 3]
    assert guesses == [401] * 4 + [429] * 2
    mail = {"email": "demo@halolight.h7ml.cn"}
    assert one.call("POST", "/api/auth/forgot-password", mail)[0] == 200
    sent = other.call("GET", "/api/demo/mails")[1]["data"]["items"][0]["link"].partition("token=")[2]
    replies = [
        server.call("POST", "/api/auth/reset-password", {"token": sent, "password": "654321"})[0]
        for server in (other, one)
    ]
    assert replies == [200, 400]
    assert one.log_in(mail["email"], "654321")


# --- nginx before two processes on one Postgres ----------------------------------------------------------------------


@dataclass
class Deployment:
    """What compose.yaml describes, on this machine: other addresses and ports, and nothing else."""

    container: Container
    folder: Path
    url: str
    ports: dict[str, int] = field(default_factory=lambda: {name: free_port() for name in (*HALOLIGHTS, "nginx")})
    servers: dict[str, Server] = field(default_factory=dict)

    def up(self):
        with ThreadPoolExecutor() as pool:  # both make and seed the empty database at once
            list(pool.map(self.start, HALOLIGHTS))
        configuration = (ROOT / "deploy" / "nginx.conf").read_text()
        places = {f"{name}:8000": f"127.0.0.1:{self.ports[name]}" for name in HALOLIGHTS}
        for place, here in {**places, "listen 80;": f"listen 127.0.0.1:{self.ports['nginx']};"}.items():
            assert configuration.count(place) == 1
            configuration = configuration.replace(place, here)
        (self.folder / "halolight.conf").write_text(configuration)
        user = "user root;" if os.getuid() == 0 else ""  # who else may not read pytest's folders
        (self.folder / "nginx.conf").write_text(MAIN.format(user=user, configuration=self.folder / "halolight.conf"))
        self.nginx = subprocess.Popen([NGINX, "-p", self.folder, "-c", "nginx.conf"], stderr=subprocess.DEVNULL)
        self.front = Server(None, f"http://127.0.0.1:{self.ports['nginx']}", [], self.folder / "error.log")
        until(lambda: self.front.ask("GET", "/health")[0] == 200)

    def environment(self, name):
        given = dict(environment(name))
        here = {"DATABASE_URL": self.url, "HALOLIGHT_HOST": "127.0.0.1", "TRUSTED_PROXY": "127.0.0.1"}
        assert given.keys() >= here.keys()
        return {**given, **here, "PORT": str(self.ports[name])}

    def start(self, name):
        self.servers[name] = self.container.start(self.folder / f"{name}.log", **self.environment(name))
        until(lambda: self.container.healthy(**self.environment(name))[0])

    def log(self):
        return "".join((self.folder / f"{name}.log").read_text() for name in HALOLIGHTS)

    def connections(self):
        """The connections of nginx to both processes."""
        found = [psutil.Process(server.process.pid).net_connections("tcp") for server in self.servers.values()]
        return [each for every in found for each in every if each.raddr and each.laddr.port in self.ports.values()]

    def down(self):
        self.nginx.terminate()
        self.nginx.wait(10)
        for server in self.servers.values():
            server.process.kill()
            server.stop()


@pytest.fixture(scope="module")
def deployment(container, postgres, tmp_path_factory):
    if NGINX is None:
        pytest.skip(NO_NGINX)
    name = f"deploy_{os.getpid()}"
    with psycopg.connect(postgres("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        made = Deployment(container, tmp_path_factory.mktemp("deployment"), postgres(name))
        made.up()
        yield made
        made.down()
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_both_processes_answer_and_the_database_was_made_once(deployment):
    token = deployment.front.log_in()
    for _ in range(10):
        status, body = deployment.front.call("GET", "/api/users", None, token)
        assert status == 200 and body["data"]["total"] == 30
    for name in HALOLIGHTS:
        until(lambda name=name: " GET /api/users 200 " in (deployment.folder / f"{name}.log").read_text())


def test_a_file_of_nine_megabytes_comes_back_whole_and_in_ranges(deployment):
    front, token, content = deployment.front, deployment.front.log_in(), os.urandom(9 * 1024 * 1024)
    status, body = upload(front, token, content)
    assert status == 201 and body["data"]["checksum"] == hashlib.sha256(content).hexdigest()
    assert body["data"]["url"].startswith(f"{front.url}/api/files/raw/")  # host and port are those that were asked for
    path = body["data"]["url"].removeprefix(front.url)
    for headers, expected in (({}, content), ({"Range": "bytes=4000000-7999999"}, content[4_000_000:8_000_000])):
        with closing(http.client.HTTPConnection("127.0.0.1", deployment.ports["nginx"])) as connection:
            connection.request("GET", path, headers=headers)
            reply = connection.getresponse()
            assert reply.status == (206 if headers else 200) and reply.read() == expected
    with ExitStack() as stack:
        for _ in range(5):
            reader = stack.enter_context(socket.create_connection(("127.0.0.1", deployment.ports["nginx"])))
            reader.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        until(lambda: b" 200 " in reader.recv(20))
        until(lambda: not deployment.connections())  # nginx has it all: who does not read on keeps nothing waiting


def from_address(deployment, source, method, path, body=None, **headers):
    """A request from another address of this machine."""
    place = ("127.0.0.1", deployment.ports["nginx"])
    with closing(http.client.HTTPConnection(*place, source_address=(source, 0), timeout=30)) as connection:
        connection.request(method, path, json.dumps(body), {"Content-Type": "application/json", **headers})
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read())


def test_limits_and_logs_know_the_clients_own_address_whatever_it_claims(deployment):
    claims = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    status, body = from_address(deployment, "127.0.0.9", "POST", "/api/auth/login", LOGIN, **claims)
    token = {"Authorization": f"Bearer {body['data']['accessToken']}", **claims}
    sessions = from_address(deployment, "127.0.0.9", "GET", "/api/auth/sessions", **token)[1]["data"]["items"]
    assert status == 200 and [row["address"] for row in sessions if row["current"]] == ["127.0.0.9"]
    me = from_address(deployment, "127.0.0.9", "GET", "/api/users/me", **token)[1]["data"]
    assert me["avatar"].startswith(deployment.front.url)
    wrong = {**LOGIN, "password": "wrong"}
    guesses = [from_address(deployment, "127.0.0.9", "POST", "/api/auth/login", wrong)[0] for _ in range(5)]
    assert guesses == [401] * 4 + [429]  # counted by both processes together
    assert from_address(deployment, "127.0.0.10", "POST", "/api/auth/login", LOGIN)[0] == 200
    assert "login of user 1 from 127.0.0.9" in deployment.log()
    assert "login failed for user 1 from 127.0.0.9" in deployment.log() and "6.6.6.6" not in deployment.log()


def test_what_nginx_itself_refuses_is_in_the_envelope(deployment):
    place = ("127.0.0.1", deployment.ports["nginx"])
    for size, nginx_says in ((11_000_000, False), (20_000_000, True)):  # HaloLight says the first by itself
        with closing(http.client.HTTPConnection(*place, timeout=30)) as connection:
            connection.putrequest("POST", "/api/files/upload")
            connection.putheader("Content-Length", str(size))
            connection.putheader("Origin", "http://localhost:3000")
            connection.endheaders()
            if not nginx_says:
                connection.send(bytes(size))
            reply = connection.getresponse()
            body = json.loads(reply.read())
            assert (reply.status, body["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")
            assert reply.getheader("Access-Control-Allow-Origin") == ("*" if nginx_says else "http://localhost:3000")


def test_a_process_that_is_killed_answers_reads_elsewhere_and_no_write_is_sent_twice(deployment):
    front, token = deployment.front, deployment.front.log_in()
    task = front.call("POST", "/api/tasks", {"title": "事"}, token)[1]["data"]["id"]
    paths = {"GET": "/api/users/me", "POST": "/api/tasks", "PUT": f"/api/tasks/{task}", "DELETE": f"/api/tasks/{task}"}
    killed, survivor = (deployment.servers[name] for name in HALOLIGHTS)

    def ask(method):
        id = uuid.uuid4().hex
        body = {"title": "事"} if method in ("POST", "PUT") else None
        return method, id, front.call(method, paths[method], body, token, X_Request_ID=id)[0]

    killed.process.send_signal(signal.SIGSTOP)  # so that requests are with it when it is killed
    with ThreadPoolExecutor(64) as pool:
        asked = []
        while {method for method, reply in asked if not reply.done()} != set(paths):
            asked += [(method, pool.submit(ask, method)) for method in paths for _ in range(3)]
            wait([reply for _, reply in asked], 1)  # the survivor answers all that it was sent
        killed.process.kill()
        replies = [reply.result() for _, reply in asked]
    killed.stop()
    assert {status for method, _, status in replies if method == "GET"} == {200}
    unknown = [(method, id) for method, id, status in replies if status == 503]
    assert {method for method, _ in unknown} == {"POST", "PUT", "DELETE"}
    assert [id for _, id in unknown if id in survivor.log.read_text()] == []
    deployment.start(HALOLIGHTS[0])


class Load:
    """Clients that ask without a pause, each the same things again: half of them read, the others write."""

    def __init__(self, front, clients=8):
        self.front, self.token, self.ended = front, front.log_in(), threading.Event()
        self.replies = Counter()
        self.pool = ThreadPoolExecutor(clients)
        self.clients = [self.pool.submit(self.write if number % 2 else self.read) for number in range(clients)]

    def ask(self, method, path, body=None):
        id = uuid.uuid4().hex
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}", "X-Request-ID": id}
        with closing(http.client.HTTPConnection(self.front.url.removeprefix("http://"), timeout=30)) as connection:
            connection.request(method, path, json.dumps(body), headers)
            reply = connection.getresponse()
            text = json.loads(reply.read())
        self.replies[method, reply.status, text["message"]] += 1
        assert reply.getheader("X-Request-ID") == id or text["error"]["requestId"] == id, "the reply to another request"
        return text

    def read(self):
        while not self.ended.is_set():
            self.ask("GET", "/api/tasks?pageSize=5")

    def write(self):
        while not self.ended.is_set():
            made = self.ask("POST", "/api/tasks", {"title": "事"})
            if made["success"]:
                path = f"/api/tasks/{made['data']['id']}"
                self.ask("PUT", path, {"progress": 50})
                self.ask("DELETE", path)

    def go_on(self, requests):
        enough = self.replies.total() + requests
        until(lambda: self.replies.total() >= enough or any(client.done() for client in self.clients), 60)

    def end(self):
        """How many of which requests were not done; raises what a client did not expect."""
        self.ended.set()
        for client in self.clients:
            client.result(30)
        self.pool.shutdown()
        return {request: number for request, number in self.replies.items() if request[1] > 201}


def test_a_kill_under_load_loses_no_request_but_writes_in_flight(deployment):
    load = Load(deployment.front)
    load.go_on(100)
    killed = deployment.servers[HALOLIGHTS[0]]
    killed.process.kill()
    killed.stop()
    load.go_on(200)
    deployment.start(HALOLIGHTS[0])
    load.go_on(200)
    lost = load.end()
    assert {status for _, status, _ in lost} <= {503} and "GET" not in {method for method, *_ in lost}
    assert sum(lost.values()) <= 4  # one of each client that writes


@pytest.mark.thorough
def test_a_rolling_restart_under_load_loses_no_request(deployment, amount):
    load = Load(deployment.front)
    for name in (HALOLIGHTS[::-1] * 10)[: amount(1, 20)]:
        time.sleep(2)  # until nginx asks the other one again, as docs/deploying.md says
        load.go_on(100)
        deployment.servers[name].stop()
        load.go_on(100)
        deployment.start(name)
    load.go_on(100)
    assert load.end() == {}


def test_a_hundred_clients_that_send_byte_by_byte_reach_no_process_before_they_are_done(deployment):
    body = json.dumps(LOGIN).encode() + b" " * 100
    head = f"POST /api/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    request = f"{head}Content-Type: application/json\r\nConnection: close\r\n\r\n".encode() + body
    with ExitStack() as stack:
        place = ("127.0.0.1", deployment.ports["nginx"])
        clients = [stack.enter_context(socket.create_connection(place, timeout=30)) for _ in range(100)]
        for number, client in enumerate(clients):
            client.sendall(request[:40] if number % 2 else request[:-20])  # in the head, or in the body
        for sent in range(3):
            for number, client in enumerate(clients):
                client.sendall(request[40 + sent :][:1] if number % 2 else request[-20 + sent :][:1])
            assert deployment.front.call("POST", "/api/auth/login", LOGIN)[0] == 200
            time.sleep(0.1)
        assert len(deployment.connections()) < 50
        clients[0].sendall(request[-17:])
        assert clients[0].recv(15) == b"HTTP/1.1 200 OK"


def test_with_no_process_left_nginx_says_so_in_the_envelope(deployment):
    for server in deployment.servers.values():
        server.process.kill()
        server.stop()
    status, body = deployment.front.call("GET", "/api/users", X_Request_ID="mine")
    assert (status, body["error"]["code"], body["error"]["requestId"]) == (503, "SERVICE_UNAVAILABLE", "mine")
