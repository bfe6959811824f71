"""A bare socket for the tests of the practice server: requests as bytes, answers taken apart."""

import json
import socket

from . import module

practice = module("lab.practice")

CHAT = "/v1/chat/completions"


def body_of(model="gpt-4o-mini", text="What is a token?", **more):
    return json.dumps({"model": model, "messages": [{"role": "user", "content": text}], **more}).encode()


def request_bytes(body=b"", *, method="POST", path=CHAT, headers=(), version="1.1", close=True):
    lines = [f"{method} {path} HTTP/{version}", "Host: practice", *headers]
    if close:
        lines.append("Connection: close")
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


class Wire:
    """One connection: sends bytes, and reads to the end of an answer or of the connection."""

    def __init__(self, server):
        self._socket = socket.create_connection((practice.HOST, server.port), timeout=5)
        self.data = b""
        self.ended = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def send(self, data):
        self._socket.sendall(data)
        return self

    def more(self):
        try:
            data = self._socket.recv(65536)
        except ConnectionResetError:
            self.ended = "reset"
            return False
        self.data += data
        if not data:
            self.ended = "eof"
        return bool(data)

    def until(self, mark):
        while mark not in self.data and self.more():
            pass
        assert mark in self.data, self.data
        return self

    def to_the_end(self):
        while self.more():
            pass
        return self


class Got:
    """An answer taken apart: status, headers, the body with and without its framing, and how the connection ended."""

    def __init__(self, wire):
        self.raw, self.ended = wire.data, wire.ended
        head, _, self.body = self.raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split(" ")[1]) if lines[0].startswith("HTTP/") else 0
        self.version = lines[0][5:8]
        self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}

    @property
    def chunks(self):
        """The chunks of a chunked body, b"" for the last one."""
        found, rest = [], self.body
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            length = int(size, 16)
            found.append(rest[:length])
            rest = rest[length + 2 :]
            if not length:
                break
        return found

    @property
    def content(self):
        return b"".join(self.chunks) if self.headers.get("transfer-encoding") == "chunked" else self.body

    @property
    def json(self):
        return json.loads(self.content)

    @property
    def documents(self):
        texts = [event[6:].decode() for event in self.content.split(b"\n\n") if event.startswith(b"data: ")]
        return [json.loads(text) if text.startswith("{") else text for text in texts]

    @property
    def text(self):
        deltas = [c["delta"] for d in self.documents if isinstance(d, dict) for c in d["choices"]]
        return "".join(delta.get("content") or "" for delta in deltas)


def ask(server, body=b"", **how):
    with Wire(server) as wire:
        return Got(wire.send(request_bytes(body, **how)).to_the_end())
