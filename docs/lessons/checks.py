"""What each lesson asks of your solution. A check sends requests to your application and looks at what it does.

It runs in this process, on a database that is new and goes with the check; your own is not touched.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from peewee import IntegrityError

DEMO, MANAGER, GUEST = "demo@halolight.h7ml.cn", "manager@halolight.h7ml.cn", "guest@halolight.h7ml.cn"
ADMIN, AUDITOR = "admin@example.com", "auditor@halolight.h7ml.cn"


class Missing(Exception):
    """What a solution lacks; the text says it in one line."""


def expect(fact: bool, missing: str) -> None:
    """Raise Missing unless the fact holds."""
    if not fact:
        raise Missing(missing)


@contextmanager
def application() -> Iterator[Flask]:
    """Your application on a new database with the demo data. Raises Missing if it does not start."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            # Imported here, so that a mistake in your code is told in one line, too.
            import halolight
            from database import engines

            url = f"sqlite:///{Path(folder).as_posix()}/lesson.db"
            values = {"NODE_ENV": "development", "SEED_DEMO": True, "SEED_SET": "zh", "LOG_LEVEL": "ERROR"}
            app = halolight.create_app(DATABASE_URL=url, DEMO_CLOCK=None, DEFAULT_LANGUAGE="en", **values)
        except Exception as error:
            raise Missing(f"the application does not start ({type(error).__name__}: {error})") from error
        try:
            yield app
        finally:
            app.test_client().delete("/api/demo/clock")
            engines.db.close_all()


@dataclass
class Somebody:
    """A client of the application: with the access token of an account, or without one."""

    app: Flask
    token: str = ""

    @classmethod
    def logged_in(cls, app: Flask, email: str) -> Somebody:
        return cls(app, cls(app).ask("POST", "/api/demo/login", {"email": email}).json["accessToken"])

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """The reply to a request, whatever its status."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return self.app.test_client().open(path, method=method, json=body, headers=headers)

    def ask(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        """The reply to a request. Raises Missing if it has another status."""
        reply = self.send(method, path, body)
        body, answers = reply.get_json(silent=True), f"{method} {path} answers {reply.status_code}"
        enveloped = isinstance(body, dict) and "message" in body
        expect(enveloped, f"{answers} without the envelope: is there a @blp.response?")
        expect(reply.status_code == status, f"{answers} ({body['message']}), not {status}.")
        return reply

    def new_task(self, title: str, **fields: Any) -> int:
        return int(self.ask("POST", "/api/tasks", {"title": title, **fields}, 201).json["data"]["id"])


def a_request() -> str:
    """Lesson 1: GET /api/tasks?dueBefore=2020-01-02 lists the tasks that are due before that day."""
    with application() as app:
        demo, path = Somebody.logged_in(app, DEMO), "/api/tasks?dueBefore=2020-01-02"
        for title, due in (("first", "2020-01-01"), ("second", "2020-01-02"), ("undated", None)):
            demo.new_task(title, dueDate=due)
        reply = demo.ask("GET", path)
        ignored = "X-Ignored-Params" in reply.headers
        expect(not ignored, f"GET {path} lists every task and names dueBefore in X-Ignored-Params: TaskArgs lacks it.")
        titles = ", ".join(row["title"] for row in reply.json["data"]["items"][:3])
        expect(titles == "first", f"of tasks due on 2020-01-01, on 2020-01-02 and never, GET {path} lists: {titles}.")
        expect(reply.json["data"]["total"] == 1, "the page is right and its total is not: filter in the database.")
        trace = demo.ask("GET", f"/api/demo/requests/{reply.headers['X-Request-ID']}").json["data"]
        bound = [value for statement in trace["statements"] for value in statement["values"]]
        expect("2020-01-02" in bound, "the list is right, but no SQL statement has the day: filter in the database.")
        demo.ask("GET", "/api/tasks?dueBefore=tomorrow", status=400)
    return "the database finds the tasks by the day, and a wrong day is refused."


def a_permission() -> str:
    """Lesson 2: GET /api/tasks/summary counts the tasks that the caller may see, by their status."""
    path = "/api/tasks/summary"
    with application() as app:
        everybody = {email: Somebody.logged_in(app, email) for email in (DEMO, ADMIN, AUDITOR)}
        everybody[DEMO].new_task("one more", status="in_progress")
        for email, somebody in everybody.items():
            counted = somebody.ask("GET", path).json["data"]
            seen = Counter(
                row["status"] for row in somebody.ask("GET", "/api/tasks?pageSize=1000").json["data"]["items"]
            )
            expected = {"pending": seen["pending"], "inProgress": seen["in_progress"], "done": seen["done"]}
            expect(counted == expected, f"{email} sees {expected} in the list of tasks, and {counted} in {path}.")
        Somebody(app).ask("GET", path, status=401)
        Somebody.logged_in(app, GUEST).ask("GET", path, status=403)
    return "everybody counts the tasks that they see, and a guest counts none."


def at_once(path: str, *callers: Somebody) -> list[int]:
    """The statuses of one POST by each caller. All come as far as their turn to write before one of them gets it."""
    from database import engines

    with ThreadPoolExecutor(len(callers)) as pool:
        with engines.write():  # so everybody else waits
            replies = [pool.submit(caller.send, "POST", path) for caller in callers]
            time.sleep(0.2)
        return sorted(reply.result().status_code for reply in replies)


def a_race() -> str:
    """Lesson 3: POST /api/tasks/:id/claim, by two at once, lets one win; and so does the table, without the view."""
    with application() as app:
        import models
        from database import engines

        claim: Any = getattr(models, "Claim", None)
        expect(claim is not None, "models.py has no model Claim.")
        demo, manager = Somebody.logged_in(app, DEMO), Somebody.logged_in(app, MANAGER)
        for number in range(2):
            task = demo.new_task(f"race {number}")
            path = f"/api/tasks/{task}/claim"
            statuses = at_once(path, demo, manager)
            expect(404 not in statuses, "there is no route POST /api/tasks/:id/claim.")
            expect(statuses != [201, 201], "two users claimed a task at once and both got 201: the race is lost.")
            expect(statuses == [201, 409], f"two users claimed a task at once and got {statuses}, not [201, 409].")
        reply = demo.ask("POST", path, status=409)
        try:
            with engines.write():
                claim.create(task=task, user=1)
        except IntegrityError:
            fields = [(detail["field"], detail["code"]) for detail in reply.json["error"]["details"]]
            expect(("taskId", "unique") in fields, "the 409 does not name taskId: leave the refusal to the constraint.")
            return "one of two wins, and the constraint refuses the other, whoever writes."
        raise Missing("your view lets one of two win, but the table takes a second claim: it has no constraint.")


def a_token() -> str:
    """Lesson 4: a refresh token that is used again after the grace puts an alert among its user's notifications."""
    with application() as app:
        from database import engines

        def alerts() -> int:
            return Somebody.logged_in(app, DEMO).ask("GET", "/api/notifications?type=alert").json["data"]["total"]

        def refresh(token: str, status: int = 200) -> Any:
            return nobody.ask("POST", "/api/auth/refresh", {"refreshToken": token}, status).json

        nobody, before = Somebody(app), alerts()
        stolen = nobody.ask("POST", "/api/demo/login", {"email": DEMO}).json["refreshToken"]
        current = refresh(stolen)["refreshToken"]
        expect(refresh(stolen)["refreshToken"] == current, "two tabs that refresh at once are not one chain any more.")
        expect(alerts() == before, "a token used twice within the grace is no theft, but made an alert.")
        later = engines.now() + timedelta(minutes=1)
        nobody.ask("POST", "/api/demo/clock", {"now": later.isoformat()})
        reason = refresh(stolen, 401)["error"]["reason"]
        expect(reason == "refresh_reused", f"the stolen token was refused with {reason}, not refresh_reused.")
        expect(
            nobody.send("POST", "/api/auth/refresh", {"refreshToken": current}).status_code == 401,
            "the session did not end: the refusal rolled your transaction back.",
        )
        expect(alerts() > before, "the session ended, and no alert is among the notifications of its user.")
        refresh(stolen, 401)
        expect(alerts() == before + 1, "one theft made several alerts.")
    return "the session of a stolen token ends, and its user is told once."


CHECKS: tuple[Callable[[], str], ...] = (a_request, a_permission, a_race, a_token)
