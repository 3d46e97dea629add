"""Passwords: a queue for hashing them, and limits for guessing them."""

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

#: Werkzeug's default. It is named because NOBODY must cost the same. Tests use a cheap one.
HASH_METHOD = "scrypt:32768:8:1"


class Password(fields.Text):
    """A new password, as it was typed."""

    def __init__(self, **options: Any):
        super().__init__(128, 6, strip=False, load_only=True, **options)


def make_hash(password: str) -> str:
    """The hash of a password, to be stored. It takes 0.1 s on purpose, so that guessing is slow."""
    return generate_password_hash(password, HASH_METHOD)


#: What the password for an unknown account is compared with, so that the reply takes as long as for a known one.
NOBODY = (
    "scrypt:32768:8:1$HVLDlRJ2zispCpVQ$9180b73db93c51e1b535d337c4f36d4829bd3bb1df1d0fc015c68b4d6da533daa8"
    "d953e01009cf4f5ea598f88428451a1581ba79d789a082a7ea816cbfcde1a6"
)
#: Two hashes at once leave others the rest of two cores; without this, 16 logins left everybody else a fifth of their
#: requests. Requests that are no logins use one of the two.
_hashing = threading.BoundedSemaphore(2)
_one_of_others = threading.BoundedSemaphore(1)
_logins_waiting = threading.BoundedSemaphore(limits.LOGINS_WAITING)
_others_waiting = threading.BoundedSemaphore(limits.OTHERS_WAITING)


@contextmanager
def hashing(login: bool = False) -> Iterator[None]:
    """Wait for a turn to hash a password; 429 if too many wait already, because each of them holds a thread.

    Logins have a queue of their own, so that registrations, which need no account, cannot keep anybody out.
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
    """The hash of a new password. Call it outside of a transaction, because it waits in the queue."""
    with hashing():
        return make_hash(password)


def password_fits(stored: str | None, password: str) -> bool:
    """Whether `password` has the hash `stored`. None, an account without a password, takes as long and fails."""
    fits = check_password_hash(stored or NOBODY, password)
    return fits and stored is not None


def client_address() -> str | None:
    """The address that limits count (`limits.client_of`); None in development if it is this machine."""
    address, config = request.remote_addr, current_app.config
    if "X-Forwarded-For" in request.headers and not config["TRUSTED_PROXY"]:
        warn_of_proxy(current_app.extensions, address)
    if address is None or (address in LOOPBACK and not config["PRODUCTION"]):
        return None
    try:
        return limits.client_of(address)
    except ValueError:  # a trusted proxy forwarded a text that is no address
        return address[:50]


def warn_of_proxy(extensions: dict[str, Any], address: str | None) -> None:
    """Log once that all clients of a proxy are counted as one."""
    if not extensions.setdefault("proxy_told", False):
        extensions["proxy_told"] = True
        log.warning("%s forwards requests, but TRUSTED_PROXY is not set: limits count its clients as one", address)


def account_limits(user: User | None, identity: str) -> dict[str, int]:
    """The keys and limits of an attempt on an account: the account from this address, the account, the address.

    The limit of the account is far higher, so that a stranger's guesses do not lock its owner out. Its key is the same
    for its e-mail and its username.
    """
    account = f"user:{user.id}" if user else f"name:{identity.strip().casefold()[:200]}"
    from_here = {f"{account} from {client_address() or 'here'}": current_app.config["LOGIN_RATE_LIMIT"]}
    return {**from_here, account: limits.ACCOUNT_ATTEMPTS, **address_limit("attempts", limits.ADDRESS_ATTEMPTS)}


def address_limit(what: str, most: int) -> dict[str, int]:
    """The key and limit of a request that concerns no account: its address, if that is counted."""
    address = client_address()
    return {f"{what} from {address}": most} if address else {}


def count_attempt(most: dict[str, int]) -> list[FailedAttempt]:
    """Count an attempt for each key of `most`; 429 if a key reached its limit in the last minute.

    An attempt is counted before the password is checked, in its own transaction, so that parallel guesses count too.
    If the password is right, `forgive()` takes the attempt back.
    """
    now = engines.now()
    # Parallel attempts are counted while this one waits for its turn, but not those of long after now: if the clock was
    # set back, they would count until it gets there.
    minute_ago, latest = now - timedelta(minutes=1), now + timedelta(seconds=limits.WRITE_SECONDS)
    with engines.write():
        for key, limit in most.items():
            recent = FailedAttempt.select().where(
                FailedAttempt.key == key, FailedAttempt.at.between(minute_ago, latest)
            )
            if full := recent.order_by(FailedAttempt.at.desc()).offset(limit - 1).first():
                refuse_until_a_minute_after(full.at, now)
        return [FailedAttempt.create(key=key) for key in most]


def forgive(attempts: list[FailedAttempt]) -> None:
    FailedAttempt.delete().where(FailedAttempt.id.in_(attempts)).execute()
