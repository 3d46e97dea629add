"""How much one request, one client and one account may take, each limit with its reason.

An operator chooses what depends on the machine (MAX_UPLOAD_MB, STORAGE_QUOTA_MB, THREADS, LOGIN_RATE_LIMIT); what
stands here is far above what an admin page does, and low enough that nobody can stop the server for everybody else.
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
#: Seconds in which a request must have arrived, besides those of its body.
REQUEST_SECONDS = 120
#: Bytes of a body that must arrive in a second, taken all together: a slow mobile line sends as many.
UPLOAD_RATE = 100 * KB
#: Seconds in which a client must ask again, send on or take something of its reply, or the connection is closed.
IDLE_SECONDS = 75
#: Seconds in which a client may go on sending what was refused, and still read the reply.
LINGER_SECONDS = 30
#: Seconds between two looks at which connections are over their time.
SWEEP_SECONDS = 5
#: Seconds that a statement may take before it is 503: a hundred times what the slowest one of a page needs.
STATEMENT_SECONDS = 2.0
#: Seconds that a request waits for its turn to write, lock of the database included, before it is 503.
WRITE_SECONDS = 5.0
#: How often a write that lost a race against a parallel one is tried in all.
ATTEMPTS = 3
#: Searches through the contents of documents at the same time; each reads every document in sight.
SEARCHES = 4
#: Seconds that a search waits for one of these to end before it is 503: most take a hundredth of that.
SEARCH_WAIT = 0.25
#: Details in the reply to an invalid request: nobody reads more, and a reply must not be larger than its request.
DETAILS = 100
#: Bytes of the reply header `Link`; a longer one is left out.
LINK_BYTES = 2 * KB

# --- One client ---

#: Connections from one address beyond loopback. A browser opens six, an office behind one address has many browsers.
CONNECTIONS = 200
#: Failed logins, and forged reset tokens, a minute from one address, whatever the accounts.
ADDRESS_ATTEMPTS = 100
#: Failed logins a minute for one account from all addresses together: one stranger must not lock its owner out.
ACCOUNT_ATTEMPTS = 1000
#: Registrations a minute from one address.
REGISTRATIONS = 20
#: Logins that hash or wait for it. scrypt takes 0.1 s of a core and 32 MB, and who waits holds one of THREADS.
LOGINS_WAITING = 16
#: The same for every other request that hashes a password (registering, setting one): logins have places of their own.
OTHERS_WAITING = 8

# --- One account ---

#: People invited to an event, in a conversation or a share, by somebody who does not manage the resource.
PEOPLE = 100
#: The same for who manages it.
MANAGED_PEOPLE = 1000
#: Notifications a minute that one account causes: a message to a hundred people three times in a minute.
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

#: Characters of a text that may be a key of what is remembered. What clients send by themselves is shorter.
REMEMBERED = 1000


def remembered(entries: int) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Like `functools.lru_cache`, but bounded in bytes: a call with a text longer than REMEMBERED is not kept.

    A client chooses the texts of its requests, so without this it would choose how much memory they take.
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
    """What an address counts as: itself, of IPv6 the /64, because its owner has all addresses in it.

    ::ffff:1.2.3.4 is 1.2.3.4 on a socket for both. Raises ValueError for what is no address.
    """
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv4Address) or found.is_loopback:
        return str(found)
    return str(found.ipv4_mapped or ipaddress.IPv6Address(int(found) >> 64 << 64))


def upload_bytes(config: Mapping[str, Any]) -> int:
    """The largest body that any route takes: a file and the form around it."""
    return config["MAX_UPLOAD_MB"] * MB + FORM_BYTES
