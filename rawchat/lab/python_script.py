"""`rawchat python FILE#N`: a recorded request as a Python program that needs `requests` and nothing of ours.

    payload = {
        "model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": "Hello!"}],
        "stream": True,
    }
    with requests.post(url, headers=headers, json=payload, stream=True, timeout=(5, 600)) as response:
        for line in response.iter_lines(chunk_size=1): ...

The program reads a stream as it should be read: line by line as it comes, errors inside the stream seen, no text held
back. The key comes from the environment. `--exact` sends the recorded bytes and every header that may be set.
"""

from __future__ import annotations

import argparse
import json
from typing import Any, List, Tuple

from .curl import KEY_MARK, KEY_VARIABLE, Sendable, add_arguments as add_curl_arguments, print_request

_WIDTH = 100

_STREAM = """\
with requests.{call}, stream=True, timeout=(5, 600)) as response:
    if response.status_code != 200:
        sys.exit(f"{{response.status_code}} {{response.text}}")
    # A chunk_size of 1 gives each line as soon as it is here; the default of 512 holds text back.
    for line in response.iter_lines(chunk_size=1):
        if not line.startswith(b"data:"):
            continue  # a comment, a blank line between two events
        data = line[5:].strip()
        if data == b"[DONE]":
            break
        chunk = json.loads(data)
        if chunk.get("error"):
            sys.exit(f"\\nthe stream broke: {{chunk['error']}}")
        for choice in chunk.get("choices") or []:
            print((choice.get("delta") or {{}}).get("content") or "", end="", flush=True)
    else:
        print("\\n(the stream ended without [DONE])", file=sys.stderr)
print()
"""
_WHOLE = """\
response = requests.{call}, timeout=(5, 600))
if response.status_code != 200:
    sys.exit(f"{{response.status_code}} {{response.text}}")
print(json.dumps(response.json(), indent=2, ensure_ascii=False))
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_curl_arguments(parser)  # the same: both say what one request was


def run(options: argparse.Namespace) -> int:
    return print_request(options, python_script)


def python_script(sendable: Sendable, *, exact: bool = False) -> str:
    """The program, ending in a newline."""
    payload = None if exact else _payload(sendable.body)
    streams = _streams(sendable.body)
    lines = ["import json", "import os", "import sys", "", "import requests", ""]
    lines.append(f"url = {_text(sendable.url)}")
    lines.append("headers = {")
    as_json = payload is not None
    lines += [
        f"    {_quoted(name)}: {_text(value)},"
        for name, value in sendable.headers
        if not (as_json and name.lower() == "content-type")
    ]
    lines.append("}")
    arguments = "url, headers=headers"
    if as_json:
        lines.append(f"payload = {literal(payload)}")
        arguments += ", json=payload"
    elif sendable.body:
        lines.append(f"body = {_bytes_literal(sendable.body)}")
        arguments += ", data=body"
    method = sendable.method.lower()
    call = f"{method}({arguments}" if method in ("get", "post", "delete", "put", "patch") else ""
    call = call or f'request("{sendable.method}", {arguments}'
    body = (_STREAM if streams else _WHOLE).format(call=call)
    text = "\n".join([*lines, "", body])
    return text if "os.environ" in text else text.replace("import os\n", "")


def _payload(body: bytes) -> Any:
    """The JSON of a body that says the same when it is written anew; None for any other."""
    objects: List[List[Tuple[str, Any]]] = []

    def keep(pairs: List[Tuple[str, Any]]) -> Any:
        objects.append(pairs)
        return dict(pairs)

    try:
        document = json.loads(body, object_pairs_hook=keep)
        json.dumps(document, allow_nan=False)  # 1e999 is JSON on the way in, and infinite on the way out
    except (ValueError, RecursionError):
        return None
    name_twice = any(len({name for name, _ in pairs}) < len(pairs) for pairs in objects)
    return None if name_twice or not isinstance(document, dict) else document


def _streams(body: bytes) -> bool:
    document = _payload(body)
    return isinstance(document, dict) and document.get("stream") is True


def _text(value: str) -> str:
    """A string, with the key's variable where the key was."""
    if not KEY_MARK.search(value):
        return _quoted(value)
    parts = [part.replace("{", "{{").replace("}", "}}") for part in KEY_MARK.split(value)]
    # The name in double quotes inside an f-string of double quotes would need Python 3.12.
    return "f" + _quoted(f"{{os.environ['{KEY_VARIABLE}']}}".join(parts))


def _quoted(text: str) -> str:
    """A literal in double quotes, in which only what cannot be typed is escaped."""
    quoted = json.dumps(text, ensure_ascii=False)
    # JSON leaves some characters raw that may not stand in a source file, or cannot be seen there.
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in quoted)


def _bytes_literal(body: bytes) -> str:
    try:
        return f"{_quoted(body.decode('utf-8'))}.encode()"
    except UnicodeDecodeError:
        return repr(body)


def literal(value: Any, indent: int = 0) -> str:
    """A JSON value as Python source: on one line where it fits, else one item a line.

    >>> literal({"stream": True, "stop": None, "n": 1.0})
    '{"stream": True, "stop": None, "n": 1.0}'
    """
    flat = _flat(value)
    if len(flat) + indent <= _WIDTH - 20 or not isinstance(value, (dict, list)) or not value:
        return flat
    room = " " * (indent + 4)
    if isinstance(value, dict):
        items = [f"{room}{_quoted(name)}: {literal(item, indent + 4)}," for name, item in value.items()]
        return "\n".join(["{", *items, " " * indent + "}"])
    return "\n".join(["[", *(f"{room}{literal(item, indent + 4)}," for item in value), " " * indent + "]"])


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_quoted(name)}: {_flat(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flat, value)) + "]"
    if isinstance(value, str):
        return _quoted(value)
    return repr(value)
