"""What every check may look at."""

import asyncio
from datetime import timedelta

from msgspec import Struct, field

from router.delivery.client import Clients
from router.domain.problem import Place
from router.service.rulebook import Loaded
from router.storage.store import Store


class Case(Struct, kw_only=True):
    """`url`: the store's; `opening`: becomes it, or None if it cannot be opened. `ahead`: what clocks of others say."""

    loaded: Loaded
    url: str
    clients: Clients
    opening: asyncio.Task[Store | None]
    ahead: dict[str, timedelta] = field(default_factory=dict)

    def place(self, *path: str) -> Place:
        return self.loaded.file.place(*path)

    async def store(self) -> Store | None:
        """Return the store, once it is open; whoever asks may be cancelled, the opening is not."""
        return await asyncio.shield(self.opening)
