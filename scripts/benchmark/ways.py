"""How each library is used, as its own documentation or the usual tutorial shows it.

    way = WAYS["httpx"]("http://127.0.0.1:8000/whole/v1")
    way.call()          the text of one answer
    way.stream()        the pieces of text of a streamed one, as they come
    way.at_once(200)    that many streams at the same time: their pieces, counted

Every way does the same work: sends the key and the messages, parses each chunk, hands out its text, stops at [DONE].
Nothing is imported above: what a library needs is loaded, and counted, where the library is. (So no typing either.)
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, List

KEY = "sk-no-key-at-all"
MODEL = "gpt-4o-mini"
QUESTION = "What is gradient descent in one sentence?"


class Absent(Exception):
    """This way cannot be gone here; says why."""


def messages() -> List[Dict[str, str]]:
    return [{"role": "user", "content": QUESTION}]


def payload(**more: Any) -> Dict[str, Any]:
    return {"model": MODEL, "messages": messages(), **more}


def headers() -> Dict[str, str]:
    return {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}


class Way:
    """A client of the server at `base_url`."""

    last: Any = None  # the stream read last, kept alive as a caller would who wants to look at it afterwards

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.url = f"{base_url}/chat/completions"
        self.open()

    def open(self) -> None:
        """Make the client. Raises Absent or ImportError."""

    def call(self) -> str:
        raise NotImplementedError

    def stream(self) -> Iterator[str]:
        raise NotImplementedError

    def kept_text(self) -> str:
        """What `last` holds of the text, if it holds it."""
        return ""

    def at_once(self, count: int) -> int:
        """A thread per stream."""
        import threading

        pieces: List[int] = []
        threads = [threading.Thread(target=lambda: pieces.append(sum(1 for _ in self.stream()))) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(pieces)


class OpenAIWay(Way):
    def open(self) -> None:
        import openai

        self.client = openai.OpenAI(api_key=KEY, base_url=self.base_url)

    def call(self) -> str:
        answer = self.client.chat.completions.create(model=MODEL, messages=messages())
        return answer.choices[0].message.content or ""

    def stream(self) -> Iterator[str]:
        self.last = stream = self.client.chat.completions.create(model=MODEL, messages=messages(), stream=True)
        for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                yield chunk.choices[0].delta.content


class RequestsWay(Way):
    def open(self) -> None:
        import requests

        self.post = requests.post

    def call(self) -> str:
        answer = self.post(self.url, headers=headers(), json=payload(), timeout=60)
        answer.raise_for_status()
        return str(answer.json()["choices"][0]["message"]["content"])

    def stream(self) -> Iterator[str]:
        import json

        answer = self.post(self.url, headers=headers(), json=payload(stream=True), stream=True, timeout=60)
        with answer:
            answer.raise_for_status()
            for line in answer.iter_lines():
                if line.startswith(b"data: "):
                    data = line[6:]
                    if data == b"[DONE]":
                        break
                    choices = json.loads(data)["choices"]
                    if choices and choices[0]["delta"].get("content"):
                        yield choices[0]["delta"]["content"]


class SessionWay(RequestsWay):
    def open(self) -> None:
        import requests

        self.post = requests.Session().post  # type: ignore[assignment]


class HttpxWay(Way):
    def open(self) -> None:
        import httpx

        self.client = httpx.Client(timeout=60)

    def call(self) -> str:
        answer = self.client.post(self.url, headers=headers(), json=payload())
        answer.raise_for_status()
        return str(answer.json()["choices"][0]["message"]["content"])

    def stream(self) -> Iterator[str]:
        import json

        from httpx_sse import connect_sse

        with connect_sse(self.client, "POST", self.url, headers=headers(), json=payload(stream=True)) as source:
            for event in source.iter_sse():
                if event.data == "[DONE]":
                    break
                choices = json.loads(event.data)["choices"]
                if choices and choices[0]["delta"].get("content"):
                    yield choices[0]["delta"]["content"]


class HttpClientWay(Way):
    def open(self) -> None:
        import http.client

        host, _, self.path = self.url.partition("://")[2].partition("/")
        self.connection = http.client.HTTPConnection(host, timeout=60)

    def ask(self, **more: Any) -> Any:
        import json

        self.connection.request("POST", f"/{self.path}", json.dumps(payload(**more)).encode(), headers())
        answer = self.connection.getresponse()
        if answer.status != 200:
            raise OSError(f"status {answer.status}")
        return answer

    def call(self) -> str:
        import json

        return str(json.loads(self.ask().read())["choices"][0]["message"]["content"])

    def stream(self) -> Iterator[str]:
        import json

        answer = self.ask(stream=True)
        for line in answer:
            if line.startswith(b"data: {"):
                choices = json.loads(line[6:])["choices"]
                if choices and choices[0]["delta"].get("content"):
                    yield choices[0]["delta"]["content"]


class SocketWay(Way):
    """The floor: what the bytes cost anybody who reads them in Python. It checks nothing and survives nothing."""

    connected: Any = None

    def open(self) -> None:
        host, _, self.path = self.url.partition("://")[2].partition("/")
        name, _, port = host.partition(":")
        self.address = (name, int(port))

    def connect(self) -> Any:
        import socket

        return socket.create_connection(self.address)

    def request(self, **more: Any) -> bytes:
        import json

        body = json.dumps(payload(**more)).encode()
        return f"POST /{self.path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body

    def call(self) -> str:
        import json

        if self.connected is None:
            self.connected = self.connect()
            self.lines = self.connected.makefile("rb")
        self.connected.sendall(self.request())
        length = 0
        for line in self.lines:
            if line == b"\r\n":
                break
            if line.startswith(b"Content-Length:"):
                length = int(line[15:])
        return str(json.loads(self.lines.read(length).decode())["choices"][0]["message"]["content"])

    def stream(self) -> Iterator[str]:
        import json

        with self.connect() as connected, connected.makefile("rb") as lines:
            connected.sendall(self.request(stream=True))
            for line in lines:
                if line.startswith(b"data: {"):
                    choices = json.loads(line[6:].decode())["choices"]
                    if choices and choices[0]["delta"].get("content"):
                        yield choices[0]["delta"]["content"]
                elif line.startswith(b"data: [DONE]"):
                    break

    def at_once(self, count: int) -> int:
        """One thread and a selector."""
        import selectors

        pieces = 0
        with selectors.DefaultSelector() as selector:
            for _ in range(count):
                connected = self.connect()
                connected.sendall(self.request(stream=True))
                selector.register(connected, selectors.EVENT_READ, [b""])
            while selector.get_map():
                for key, _ in selector.select():
                    pieces += self.take(selector, key)
        return pieces

    def take(self, selector: Any, key: Any) -> int:
        """The pieces that one read of one stream completes."""
        import json

        pieces = 0
        *lines, key.data[0] = (key.data[0] + key.fileobj.recv(65536)).split(b"\n")
        for line in lines:
            if line.startswith(b"data: {"):
                choices = json.loads(line[6:].decode())["choices"]
                if choices and choices[0]["delta"].get("content"):
                    pieces += 1
            elif line.startswith(b"data: [DONE]"):
                selector.unregister(key.fileobj)
                key.fileobj.close()
        return pieces


class RawchatWay(Way):
    transport = "requests"

    def open(self) -> None:
        import rawchat

        try:
            self.client = rawchat.Client(KEY, self.base_url, model=MODEL, transport=self.transport)
        except rawchat.PayloadError as error:
            raise Absent(str(error)) from error

    def call(self) -> str:
        return self.client.chat(messages()).text

    def stream(self) -> Iterator[str]:
        with self.client.stream(messages()) as stream:
            self.last = stream
            yield from stream

    def kept_text(self) -> str:
        text: str = self.last.reply.text
        return text


class StdlibWay(RawchatWay):
    transport = "stdlib"


class AsyncOpenAIWay(Way):
    def at_once(self, count: int) -> int:
        import asyncio

        import openai

        async def one(client: Any) -> int:
            pieces = 0
            stream = await client.chat.completions.create(model=MODEL, messages=messages(), stream=True)
            async for chunk in stream:
                if chunk.choices and chunk.choices[0].delta.content:
                    pieces += 1
            return pieces

        async def all_of_them() -> int:
            async with openai.AsyncOpenAI(api_key=KEY, base_url=self.base_url) as client:
                return sum(await asyncio.gather(*[one(client) for _ in range(count)]))

        return asyncio.run(all_of_them())


class AsyncRawchatWay(Way):
    def at_once(self, count: int) -> int:
        import asyncio

        import rawchat

        async def one(client: Any) -> int:
            pieces = 0
            async with client.stream(messages()) as stream:
                async for _ in stream:
                    pieces += 1
            return pieces

        async def all_of_them() -> int:
            async with rawchat.AsyncClient(KEY, self.base_url, model=MODEL, max_concurrency=count) as client:
                return sum(await asyncio.gather(*[one(client) for _ in range(count)]))

        return asyncio.run(all_of_them())


WAYS = {
    "openai": OpenAIWay,
    "AsyncOpenAI": AsyncOpenAIWay,
    "requests": RequestsWay,
    "Session": SessionWay,
    "httpx": HttpxWay,
    "http.client": HttpClientWay,
    "socket": SocketWay,
    "rawchat+requests": RawchatWay,
    "rawchat+stdlib": StdlibWay,
    "AsyncClient": AsyncRawchatWay,
}
# What importing means. The client is what `import openai` loads, so ours is measured both ways.
IMPORTS = {
    "openai": "import openai",
    "httpx": "import httpx",
    "requests": "import requests",
    "http.client": "import http.client",
    "rawchat": "import rawchat",
    "Client": "from rawchat import Client",
}
