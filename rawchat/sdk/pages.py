"""Lists that the server gives page by page: looping over one asks for the next page when it is due.

    for model in client.models.list(): ...
    page = client.files.list(limit=20); page.data, page.has_next_page(), page.get_next_page()
    async for batch in client.batches.list(): ...        or: page = await client.batches.list()

A list of models has one page; files and batches go on behind the last id ("after") while `has_more` is not false.
"""

from __future__ import annotations

from typing import Any, AsyncIterator, Awaitable, Callable, Dict, Generator, Iterator, List, Optional, Type

from ..protocol.reply import Reply
from .exchange import Task, noted
from .objects import BaseModel


class Page(BaseModel):
    data: List[Any]
    object: str
    has_more: Optional[bool]
    _client: Any
    _task: Any

    @classmethod
    def made(cls, client: Any, task: Task, item: Type[BaseModel], reply: Reply) -> Any:
        """The page in an answer; `task` asked for it, and `client` can ask for the next."""
        page = noted(cls.of(dict(reply)), reply)
        vars(page).update(data=[item.of(raw) for raw in reply["data"]], _client=client, _task=task)
        return page

    def next_page_info(self) -> Optional[Dict[str, Any]]:
        """The query that asks for the next page; None on the last one."""
        last = self.data[-1].id if self.data else None
        return {"after": last} if last and self._is_paged() and self.has_more is not False else None

    def has_next_page(self) -> bool:
        return self.next_page_info() is not None

    def _is_paged(self) -> bool:
        # A list without `has_more`, such as that of the models, is whole.
        return self.has_more is not None

    def _next_task(self) -> Task:
        query = self.next_page_info()
        if query is None:
            raise RuntimeError("this is the last page; has_next_page() says so beforehand")
        task: Task = self._task
        return task._replace(
            options={**task.options, "extra_query": {**(task.options.get("extra_query") or {}), **query}}
        )


class SyncPage(Page):
    def __iter__(self) -> Iterator[Any]:
        """Every item of this page and of those that follow."""
        for page in self.iter_pages():
            yield from page.data

    def iter_pages(self) -> Iterator[SyncPage]:
        page = self
        yield page
        while page.has_next_page():
            page = page.get_next_page()
            yield page

    def get_next_page(self) -> Any:
        return self._client.perform(self._next_task())


class AsyncPage(Page):
    async def __aiter__(self) -> AsyncIterator[Any]:
        """Every item of this page and of those that follow."""
        async for page in self.iter_pages():
            for item in page.data:
                yield item

    async def iter_pages(self) -> AsyncIterator[AsyncPage]:
        page = self
        yield page
        while page.has_next_page():
            page = await page.get_next_page()
            yield page

    async def get_next_page(self) -> Any:
        return await self._client.perform(self._next_task())


class AsyncPaginator:
    """A list that was not asked for yet: `await` gives its first page, `async for` every item."""

    def __init__(self, ask: Callable[[], Awaitable[AsyncPage]]) -> None:
        self._ask = ask

    def __await__(self) -> Generator[Any, None, AsyncPage]:
        return self._ask().__await__()

    async def __aiter__(self) -> AsyncIterator[Any]:
        async for item in await self._ask():
            yield item
