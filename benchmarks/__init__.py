"""How fast HaloLight is, measured beside other servers on the same machine: `python -m benchmarks --help`."""
