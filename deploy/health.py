"""Exit with 0 if the HaloLight in this container is healthy, otherwise with a reason: for its HEALTHCHECK."""

import http.client
import os
import sys

# In production HaloLight answers only to the names in ALLOWED_HOSTS, if there are any.
host = os.environ.get("ALLOWED_HOSTS", "").split(",")[0].strip() or "localhost"
try:
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("PORT") or 8000), timeout=3)
    connection.request("GET", "/health", headers={"Host": host})
    reply = connection.getresponse()
except OSError as error:
    sys.exit(f"no answer: {error}")
if reply.status != 200:
    sys.exit(f"{reply.status}: {reply.read(500).decode('utf-8', 'replace')}")
