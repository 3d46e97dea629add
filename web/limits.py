"""How much one request, one client and one account may use, each limit with its reason.

Limits that depend on the machine are variables (MAX_UPLOAD_MB, STORAGE_QUOTA_MB, THREADS, LOGIN_RATE_LIMIT). Those
here are far above what an admin page needs, and low enough that nobody can stop the server for everybody else.
`docs/limits.md` lists all of them.
"""

import ipaddress
from collections.abc import Callable, Mapping
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

KB = 1024
MB = 1024 * KB

# --- One request ---

#: Bytes of request line and headers together. Browsers send at most 16 KB, and an access token has less than 1.
HEADER_BYTES = 32 * KB
#: Bytes of a JSON body: a document of 1 MB in which every character is escaped.
BODY_BYTES = 2 * MB
#: Bytes that the form of an upload may hold besides the file.
FORM_BYTES = 64 * KB
#: Seconds in which a request must have arrived, not counting its body.
REQUEST_SECONDS = 120
#: Bytes of a body that must arrive in a second on average. A slow mobile line sends as many.
UPLOAD_RATE = 100 * KB
#: Seconds after which a connection is closed on which the client neither sends nor takes anything.
IDLE_SECONDS = 75
#: Seconds for which a client whose request was refused may go on sending, so that it can read the reply.
LINGER_SECONDS = 30
#: Seconds between two searches for connections to be closed.
SWEEP_SECONDS = 5
#: Seconds that a statement may take before the reply is 503: a hundred times what the slowest one of a page needs.
STATEMENT_SECONDS = 2.0
#: Seconds that a request waits for its turn to write, and for the lock of the database, before the reply is 503.
WRITE_SECONDS = 5.0
#: Searches through the contents of documents at the same time; each reads every visible document.
SEARCHES = 4
#: Seconds that a search waits for one of these to end before the reply is 503. Most searches take a hundredth of that.
SEARCH_WAIT = 0.25
#: Details in the reply to an invalid request. Nobody reads more, and the reply must not be larger than the request.
DETAILS = 100
#: Bytes of the reply header `Link`; a longer one is left out.
LINK_BYTES = 2 * KB

# --- One client ---

#: Connections from one address beyond loopback. A browser opens six, and many browsers of an office share an address.
CONNECTIONS = 200
#: Failed logins and forged reset tokens a minute from one address, for all accounts together.
ADDRESS_ATTEMPTS = 100
#: Failed logins a minute for one account from all addresses together. One stranger must not lock its owner out.
ACCOUNT_ATTEMPTS = 1000
#: Registrations a minute from one address.
REGISTRATIONS = 20
#: Logins that hash, or wait for it. scrypt takes 0.1 s of a core and 32 MB; a login that waits holds a thread.
LOGINS_WAITING = 16
#: The same for all other requests that hash a password (to register, to set one), so that logins keep their places.
OTHERS_WAITING = 8

# --- One account ---

#: People invited to an event, in a conversation, a team or a share, by somebody who does not manage the resource.
PEOPLE = 100
#: The same for those who manage it.
MANAGED_PEOPLE = 1000
#: Notifications a minute that one account causes: three messages to a hundred people.
NOTIFICATIONS = 300
#: Rows of one kind that an account may own (documents, files, folders, events, tasks, conversations).
ROWS = 10_000
#: Messages that an account has sent and not deleted: thirty a day for nine years.
MESSAGES = 100_000
#: Live sessions of one account; the login after that ends the oldest one.
SESSIONS = 1000

# --- What the process remembers ---

#: Rules of the demo controls.
RULES = 100
#: Requests that the demo controls show.
REQUESTS = 200
#: Statements of each of them, the first ones.
STATEMENTS = 50
#: Characters of each statement.
STATEMENT_CHARACTERS = 4000
#: Values that were bound to each statement, and characters of each value.
VALUES = 50
VALUE_CHARACTERS = 100

#: Characters of a text that is a key of a cache. The texts that real clients send are shorter.
REMEMBERED = 1000


def remembered(entries: int) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Like `functools.lru_cache`, but bounded in bytes: a call with a text longer than REMEMBERED is not cached.

    Clients choose the texts of their requests. Without the bound, they would choose how much memory the cache takes.
    """

    def decorator(function: Callable[P, R]) -> Callable[P, R]:
        kept = lru_cache(entries)(function)

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            for value in args:
                if isinstance(value, (str, bytes)) and len(value) > REMEMBERED:
                    return function(*args, **kwargs)
            return kept(*args, **kwargs)  # type: ignore[arg-type]

        return call

    return decorator


def client_of(address: str) -> str:
    """What an address counts as: itself; for IPv6 its /64 network, all of which one customer usually has.

    ::ffff:1.2.3.4, an IPv4 client on an IPv6 socket, is 1.2.3.4. Raises ValueError if it is not an address.
    """
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv4Address) or found.is_loopback:
        return str(found)
    return str(found.ipv4_mapped or ipaddress.IPv6Address(int(found) >> 64 << 64))


def upload_bytes(config: Mapping[str, Any]) -> int:
    """The length of the largest body that any route accepts: a file and the form around it."""
    return config["MAX_UPLOAD_MB"] * MB + FORM_BYTES
