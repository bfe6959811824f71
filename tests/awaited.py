"""The async client in the sync client's clothes, so that one table of tests speaks of both."""

import asyncio

from . import rawchat


class Awaited:
    """An AsyncClient whose methods are called without `await`; each call has an event loop of its own."""

    def __init__(self, *arguments, **options):
        self.client = rawchat.AsyncClient(*arguments, **options)

    def with_options(self, **changes):
        other = Awaited.__new__(Awaited)
        other.client = self.client.with_options(**changes)
        return other

    def __getattr__(self, name):
        method = getattr(self.client, name)
        if not asyncio.iscoroutinefunction(method):
            return method
        return lambda *arguments, **options: asyncio.run(method(*arguments, **options))


FACES = {"sync": rawchat.Client, "async": Awaited}
