"""Passwords: hashed in a queue, and guessed only so often."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from typing import Any

from flask import current_app, request
from werkzeug.security import check_password_hash, generate_password_hash

from database import engines
from models import FailedAttempt, User
from web import fields, limits
from web.errors import refuse, refuse_until_a_minute_after
from web.security import LOOPBACK, log

#: Werkzeug's default, named because the hash that stands for nobody's must cost the same. Tests use a cheap one.
HASH_METHOD = "scrypt:32768:8:1"


class Password(fields.Text):
    """A new password, as it was typed."""

    def __init__(self, **options: Any):
        super().__init__(128, 6, strip=False, load_only=True, **options)


def make_hash(password: str) -> str:
    """The hash under which a password is kept; it takes 0.1 s on purpose."""
    return generate_password_hash(password, HASH_METHOD)


#: What an unknown account's password is compared with, so that the answer takes as long as for a known one.
NOBODY = (
    "scrypt:32768:8:1$HVLDlRJ2zispCpVQ$9180b73db93c51e1b535d337c4f36d4829bd3bb1df1d0fc015c68b4d6da533daa8"
    "d953e01009cf4f5ea598f88428451a1581ba79d789a082a7ea816cbfcde1a6"
)
#: Two hashes at once leave others the rest of two cores; without this, 16 logins left everybody else a fifth of their
#: requests. Of the two, what is no login uses one.
_hashing = threading.BoundedSemaphore(2)
_one_of_others = threading.BoundedSemaphore(1)
_logins_waiting = threading.BoundedSemaphore(limits.LOGINS_WAITING)
_others_waiting = threading.BoundedSemaphore(limits.OTHERS_WAITING)


@contextmanager
def hashing(login: bool = False) -> Iterator[None]:
    """A place in the queue before the hashing of passwords; 429 if it is full, so that other requests flow.

    Logins have a queue of their own: registrations, which need no account, cannot keep anybody out.
    """
    waiting = _logins_waiting if login else _others_waiting
    if not waiting.acquire(blocking=False):
        refuse(429, retry_after=1)
    try:
        with nullcontext() if login else _one_of_others, _hashing:
            yield
    finally:
        waiting.release()


def hash_password(password: str) -> str:
    """The hash of a new password, made in the queue and so outside of any transaction."""
    with hashing():
        return make_hash(password)


def password_fits(stored: str | None, password: str) -> bool:
    """Whether `password` is the one whose hash is `stored`; an account without one takes as long and fails."""
    fits = check_password_hash(stored or NOBODY, password)
    return fits and stored is not None


def client_address() -> str | None:
    """The address that limits count (`limits.client_of`); None on the machine itself in development."""
    address, config = request.remote_addr, current_app.config
    if "X-Forwarded-For" in request.headers and not config["TRUSTED_PROXY"]:
        warn_of_proxy(current_app.extensions, address)
    if address is None or (address in LOOPBACK and not config["PRODUCTION"]):
        return None
    try:
        return limits.client_of(address)
    except ValueError:  # a trusted proxy that hands on whatever its clients claim
        return address[:50]


def warn_of_proxy(extensions: dict[str, Any], address: str | None) -> None:
    """Say once in the log that a proxy's clients are counted as one."""
    if not extensions.setdefault("proxy_told", False):
        extensions["proxy_told"] = True
        log.warning("%s forwards requests, but TRUSTED_PROXY is not set: limits count its clients as one", address)


def account_limits(user: User | None, identity: str) -> dict[str, int]:
    """What an attempt on an account counts against: the account from this address, the account, the address.

    The account by itself has a far higher limit, so that a stranger's guesses do not lock its owner out. It is the
    same one whether it was named by e-mail or by username.
    """
    account = f"user:{user.id}" if user else f"name:{identity.strip().casefold()[:200]}"
    from_here = {f"{account} from {client_address() or 'here'}": current_app.config["LOGIN_RATE_LIMIT"]}
    return {**from_here, account: limits.ACCOUNT_ATTEMPTS, **address_limit("attempts", limits.ADDRESS_ATTEMPTS)}


def address_limit(what: str, most: int) -> dict[str, int]:
    """What a request counts against if it concerns no account: its address, but not the machine's own."""
    address = client_address()
    return {f"{what} from {address}": most} if address else {}


def count_attempt(most: dict[str, int]) -> list[FailedAttempt]:
    """Count an attempt against each key of `most`; 429 if one had as many as it says in the last minute.

    It is counted before it is known to fail, in a transaction of its own, so that parallel guesses count
    too; whoever succeeds takes it back with `forgive()`.
    """
    now = engines.now()
    minute_ago = now - timedelta(minutes=1)
    with engines.write():
        for key, limit in most.items():
            # None of later than now: the clock was set back since, and they would count for as long.
            recent = FailedAttempt.select().where(FailedAttempt.key == key, FailedAttempt.at.between(minute_ago, now))
            if full := recent.order_by(FailedAttempt.at.desc()).offset(limit - 1).first():
                refuse_until_a_minute_after(full.at, now)
        return [FailedAttempt.create(key=key) for key in most]


def forgive(attempts: list[FailedAttempt]) -> None:
    FailedAttempt.delete().where(FailedAttempt.id.in_(attempts)).execute()
