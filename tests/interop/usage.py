"""What the running scenario uses, noted where it is used."""

from collections import defaultdict

PARTS = ("client", "server", "authorization", "revision")
_noted = defaultdict(set)


def note(part, name, detail=""):
    """`part` is one of `PARTS`, or `suite`."""
    _noted[part].add((name, detail))


def begin():
    _noted.clear()


def noted():
    """A copy of what was noted since `begin`."""
    return defaultdict(set, {part: set(names) for part, names in _noted.items()})


class Noting(dict):
    """The upstreams, by kind and transport; looking one up is using it."""

    def __getitem__(self, key):
        kind, transport = key
        note("server", kind, "SSE" if transport == "sse" else "")
        return super().__getitem__(key)
