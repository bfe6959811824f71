"""`rawchat diff A.jsonl#1 B.jsonl#2`: two exchanges compared, request by request and answer by answer.

    The requests
      different   temperature             0.2 / 0.7
      softly      max_tokens / max_completion_tokens   5 / 5   two names of one limit; ...
      softly      header openai-beta      absent / assistants=v2
      14 differences of form: --all shows them
    The answers
      softly      text                    one [-two-]{+deux+} three
                  first token             120 ms / 412 ms

Three levels: what the request means (its JSON by path, the endpoint, whose key), what its headers add, and the bytes
(order of keys, spacing, case of header names, what an SDK says about itself), which are counted and folded. The exit
status is 1 where the meaning of the requests or the shape of the answers differs; what a model says is its own affair.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple
from urllib.parse import parse_qsl, urlsplit

from ..protocol.reply import Reply
from ..protocol.wire import Headers
from .cassette import CassetteError, select, select_one
from .exchange import Exchange
from .json_diff import ABSENT, FORM, MEANING, SOFT, Difference, compare, compare_values, is_long_text, word_diff
from .summary import call_line, how_it_ended, short_path
from .terminal import columns_of, cut, printable, write_line
from .timing import duration, measure

_LABELS = {MEANING: "different", SOFT: "softly", FORM: "form"}
_SHOWN_CHARACTERS = 70
# Headers that say whom one asks and on whose account: another value is another request.
WITH_MEANING = frozenset("authorization api-key x-api-key openai-organization openai-project openai-beta".split())
# Headers that each client writes in its own way, and no server answers differently for.
NOISE = frozenset(
    "accept accept-encoding accept-language connection content-length host idempotency-key sec-fetch-mode "
    "traceparent transfer-encoding user-agent x-client-request-id x-request-id expect".split()
)
_NOISE_PREFIXES = ("x-stainless-", "sec-")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("left", metavar="A[#N]", help="one exchange of a cassette")
    parser.add_argument("right", metavar="B[#M]", help="another, of the same cassette or of another one")
    parser.add_argument("--all", action="store_true", help="show the differences of form, too")


def run(options: argparse.Namespace) -> int:
    left, right = _pick(options.left), _pick(options.right)
    found = compare_requests(left, right)
    answers = compare_answers(left, right)
    for line in report(left, right, found, answers, everything=options.all):
        write_line(sys.stdout, printable(line, keep=""))
    return 1 if any(difference.weight == MEANING for difference in (*found, *answers)) else 0


def _pick(name: str) -> Exchange:
    """The exchange that is named; of a cassette with several, one call with all its attempts counts as one."""
    cassette, exchange = select(name)
    if exchange is not None:
        return exchange
    calls = {one.call for one in cassette.exchanges}
    if len(calls) == 1:
        return cassette.exchanges[-1]
    if not calls:
        raise CassetteError(f"{name} holds no exchange")
    return select_one(name)  # raises the error that says which there are


# --- requests --------------------------------------------------------------------------------------------------------


def compare_requests(left: Exchange, right: Exchange) -> List[Difference]:
    """Meaning, then headers, then bytes."""
    return [*_meaning(left, right), *_headers(left, right), *_bytes(left, right)]


def _meaning(left: Exchange, right: Exchange) -> Iterator[Difference]:
    yield from compare_values(left.request.method, right.request.method, "method")
    yield from compare_values(short_path(left.path), short_path(right.path), "path")
    yield from compare_values(_query(left), _query(right), "query")
    if _host(left) != _host(right):
        yield Difference(SOFT, "server", _host(left), _host(right))
    if left.payload is not None and right.payload is not None:
        yield from compare(left.payload, right.payload)
    elif left.request.body != right.request.body:
        yield Difference(MEANING, "body", _body_text(left), _body_text(right), "no JSON, compared as text")


def _query(exchange: Exchange) -> Dict[str, str]:
    return dict(parse_qsl(urlsplit(exchange.target).query, keep_blank_values=True))


def _host(exchange: Exchange) -> str:
    return urlsplit(exchange.request.url).netloc


def _body_text(exchange: Exchange) -> str:
    return exchange.request.body.decode("utf-8", "backslashreplace")


def _headers(left: Exchange, right: Exchange) -> Iterator[Difference]:
    old, new = (Headers(one.request.headers) for one in (left, right))
    for name in dict.fromkeys([*old, *new]):
        if old.get(name) == new.get(name) or name == "content-type":
            continue
        weight = MEANING if name in WITH_MEANING else FORM if is_noise(name) else SOFT
        yield Difference(weight, f"header {name}", old.get(name, ABSENT), new.get(name, ABSENT))
    kinds = [one.get("content-type", "") for one in (old, new)]
    if kinds[0] != kinds[1]:
        bare = [kind.partition(";")[0].strip().lower() for kind in kinds]
        yield Difference(FORM if bare[0] == bare[1] else SOFT, "header content-type", *kinds)


def is_noise(name: str) -> bool:
    return name in NOISE or name.startswith(_NOISE_PREFIXES)


def _bytes(left: Exchange, right: Exchange) -> Iterator[Difference]:
    """What no parser sees."""
    for path, see in _BYTE_FACTS:
        old, new = see(left), see(right)
        if old != new and old is not None and new is not None:
            yield Difference(FORM, path, old, new)
    spelled = [{name.lower(): name for name in _names(one)} for one in (left, right)]
    cases = [(name, spelled[1][lower]) for lower, name in spelled[0].items() if lower in spelled[1]]
    if any(old != new for old, new in cases):
        yield Difference(FORM, "case of header names", *(", ".join(side) for side in zip(*cases)))
    for path, names_of in (("order of keys", _keys), ("order of headers", _names)):
        # Of those that both have: one that is there or not is told elsewhere.
        old_names, new_names = ([name.lower() for name in names_of(one)] for one in (left, right))
        old_order = [name for name in old_names if name in new_names]
        new_order = [name for name in new_names if name in old_names]
        if old_order != new_order:
            yield Difference(FORM, path, ", ".join(old_order), ", ".join(new_order))


def _names(exchange: Exchange) -> List[str]:
    return [name for name, _ in exchange.request.headers]


def _keys(exchange: Exchange) -> List[str]:
    payload = exchange.payload
    return list(payload) if isinstance(payload, dict) else []


def _spacing(exchange: Exchange) -> Optional[str]:
    """How the JSON is written: compact, with spaces, or over several lines."""
    if exchange.payload is None:
        return None
    outside = re.sub(rb'"(?:[^"\\]|\\.)*"', b'""', exchange.request.body)
    return "over lines" if b"\n" in outside else "with spaces" if b" " in outside else "compact"


def _escapes(exchange: Exchange) -> Optional[str]:
    body = exchange.request.body
    if exchange.payload is None or (body.isascii() and b"\\u" not in body):
        return None
    return "as \\u escapes" if body.isascii() else "as UTF-8"


_BYTE_FACTS: Tuple[Tuple[str, Callable[[Exchange], Any]], ...] = (
    ("spacing of the JSON", _spacing),
    ("characters beyond ASCII", _escapes),
    ("bytes of the body", lambda exchange: len(exchange.request.body)),
    ("HTTP version", lambda exchange: exchange.http_version),
)


# --- answers ---------------------------------------------------------------------------------------------------------


def compare_answers(left: Exchange, right: Exchange) -> List[Difference]:
    """Status, ending, shape, usage, finish and text. Figures of timing are in `figures`."""
    found: List[Difference] = []
    for path, weight, see in _ANSWER_FACTS:
        old, new = see(left), see(right)
        if old != new:
            found.append(Difference(weight, path, old, new))
    if left.is_stream and right.is_stream:
        found += _shapes(left, right)
    old_reply, new_reply = left.reply(), right.reply()
    if old_reply and new_reply and old_reply.get("choices") and new_reply.get("choices"):
        found += _messages(old_reply, new_reply)
    return found


_ANSWER_FACTS: Tuple[Tuple[str, str, Callable[[Exchange], Any]], ...] = (
    ("status", MEANING, lambda exchange: exchange.head.status if exchange.head else "no answer"),
    ("end", MEANING, lambda exchange: how_it_ended(exchange) or "whole"),
    ("stream or whole", MEANING, lambda exchange: "stream" if exchange.is_stream else "whole"),
    (
        "content type",
        SOFT,
        lambda exchange: exchange.head.headers.get("content-type", ABSENT) if exchange.head else ABSENT,
    ),
    ("usage", SOFT, lambda exchange: _usage(exchange)),
)


def _usage(exchange: Exchange) -> Any:
    reply = exchange.reply()
    usage = reply.get("usage") if reply is not None else None
    if not isinstance(usage, dict):
        return ABSENT
    return {name: value for name, value in usage.items() if isinstance(value, int)}


def shape_of(value: Any) -> Any:
    """A value with its leaves replaced by their kinds: two chunks of one shape differ in nothing but what they say."""
    if isinstance(value, dict):
        return {name: shape_of(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shape_of(item) for item in value]
    return type(value).__name__ if not isinstance(value, bool) else "bool"


def _shapes(left: Exchange, right: Exchange) -> Iterator[Difference]:
    """The kinds of chunks that one stream has and the other has not, each with the first chunk that shows it."""
    sides: List[Dict[str, Any]] = []
    for exchange in (left, right):
        seen: Dict[str, Any] = {}
        for step in exchange.steps():
            if step.chunk is not None:
                seen.setdefault(json.dumps(shape_of(step.chunk), sort_keys=True), step.chunk)
        sides.append(seen)
    for shape, chunk in sides[0].items():
        if shape not in sides[1]:
            yield Difference(SOFT, "a chunk of this shape", chunk, ABSENT)
    for shape, chunk in sides[1].items():
        if shape not in sides[0]:
            yield Difference(SOFT, "a chunk of this shape", ABSENT, chunk)


def _messages(left: Reply, right: Reply) -> Iterator[Difference]:
    for path, see in _MESSAGE_FACTS:
        yield from compare_values(see(left), see(right), path)
    if left.text != right.text:
        yield Difference(SOFT, "text", left.text, right.text)
    if left.reasoning != right.reasoning:
        yield Difference(SOFT, "reasoning", left.reasoning, right.reasoning)


_MESSAGE_FACTS: Tuple[Tuple[str, Callable[[Reply], Any]], ...] = (
    ("choices", lambda reply: len(reply["choices"])),
    ("finish_reason", lambda reply: reply.finish_reason),
    ("tools called", lambda reply: [call.get("function", {}).get("name") for call in reply.tool_calls or []]),
)


def figures(left: Exchange, right: Exchange) -> List[Tuple[str, str, str]]:
    """Times side by side: (what, left, right)."""
    old, new = measure(left), measure(right)
    rows = [
        ("first byte", duration(old.first_byte_us), duration(new.first_byte_us)),
        ("first token", duration(old.first_output_us), duration(new.first_output_us)),
        ("longest gap", duration(old.longest_gap_us), duration(new.longest_gap_us)),
        ("in all", duration(old.total_us), duration(new.total_us)),
        ("events", f"{old.events:,}", f"{new.events:,}"),
        ("reads", f"{old.reads:,}", f"{new.reads:,}"),
    ]
    return [row for row in rows if row[1:] != ("-", "-")]


# --- the report ------------------------------------------------------------------------------------------------------


def report(
    left: Exchange, right: Exchange, requests: List[Difference], answers: List[Difference], *, everything: bool = False
) -> Iterator[str]:
    yield f"A  {call_line(left)}"
    yield f"B  {call_line(right)}"
    yield ""
    yield "The requests"
    yield from _told(requests, everything, "mean the same")
    yield ""
    yield "The answers"
    yield from _told(answers, everything, "say the same")
    for what, old, new in figures(left, right):
        yield f"              {what:<22}{old:>10} / {new}"


def _told(found: List[Difference], everything: bool, nothing: str) -> Iterator[str]:
    weighed = sorted(found, key=lambda one: list(_LABELS).index(one.weight))
    if all(one.weight != MEANING for one in weighed):
        yield (
            f"  they {nothing}"
            if all(one.weight == FORM for one in weighed)
            else "  nothing that must be equal differs"
        )
    width = min(max((columns_of(one.path) for one in weighed if everything or one.weight != FORM), default=0), 40)
    form = [one for one in weighed if one.weight == FORM]
    for one in weighed:
        if one.weight != FORM or everything:
            yield from _lines(one, width)
    if form and not everything:
        yield f"  {len(form)} difference{'s' if len(form) > 1 else ''} of form: --all shows them"


def _lines(one: Difference, width: int) -> Iterator[str]:
    start = f"  {_LABELS[one.weight]:<10}  {one.path}{' ' * max(width - columns_of(one.path), 0)}"
    if is_long_text(one.left, one.right):
        yield start
        yield f"              {word_diff(one.left, one.right)}"
    elif one.weight != MEANING or isinstance(one.left, (str, int, float, type(None))) or one.left is ABSENT:
        yield f"{start}  {_value(one.left)} / {_value(one.right)}"
    else:
        yield start
        yield f"            A {_value(one.left)}"
        yield f"            B {_value(one.right)}"
    if one.note:
        yield f"              {one.note}"


def _value(value: Any) -> str:
    if value is ABSENT:
        return "absent"
    return cut(json.dumps(value, ensure_ascii=False), _SHOWN_CHARACTERS)
