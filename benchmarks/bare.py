"""What HaloLight is measured against: a route that does nothing.

python -m benchmarks.bare naked PORT     nothing but Flask and waitress, with as many threads
python -m benchmarks.bare tuned PORT     the same, with the setting of waitress that HaloLight changes
python -m benchmarks.bare layers PORT    the same route in HaloLight's application, served as HaloLight is
"""

import sys
from typing import Any

import waitress
from flask import Flask


def hello() -> dict[str, str]:
    return {"hello": "world"}


def server(port: int) -> Any:
    app = Flask("bare")
    app.get("/api/bare")(hello)
    return waitress.create_server(app, host="127.0.0.1", port=port, threads=32, asyncore_use_poll=True)


def naked(port: int) -> None:
    server(port).run()


def tuned(port: int) -> None:
    from web.connections import SEND_BYTES  # here, as it takes memory

    bare = server(port)
    bare.adj.send_bytes = SEND_BYTES
    bare.run()


def layers(port: int) -> None:
    import halolight
    from web.logs import configure_logging
    from web.server import listening_sockets, serve

    app = halolight.create_app()
    app.get("/api/bare")(hello)
    configure_logging(app)
    serve(app, listening_sockets("127.0.0.1", port), ready=lambda: None)


if __name__ == "__main__":
    {"naked": naked, "tuned": tuned, "layers": layers}[sys.argv[1]](int(sys.argv[2]))
