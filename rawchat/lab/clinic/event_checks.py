"""Checks of a stream as bytes and lines: Content-Type, framing, [DONE], how events are written."""

from __future__ import annotations

import json
import re
from typing import Any, Iterator, List, Tuple

from .answer_checks import damage_in
from .rule import (
    MUST,
    QUIRK,
    SHOULD,
    Check,
    Finding,
    about,
    fails,
    good_status,
    ok,
    stream_bytes,
    unknown,
)
from .sight import Sight, excerpt

DONE = "[DONE]"


def _type(sight: Sight) -> Finding:
    if sight.media_type == "text/event-stream":
        return ok(sight.content_type)
    what = "JSON, though a stream was asked for" if sight.media_type == "application/json" else "not text/event-stream"
    return fails(f"Content-Type is {excerpt(sight.content_type) or 'missing'}: {what}", excerpt(sight.body))


def _charset(sight: Sight) -> Finding:
    found = re.search(r"charset\s*=\s*\"?([^\s;\"]+)", sight.content_type, re.IGNORECASE)
    if found and found[1].lower() not in ("utf-8", "utf8"):
        return fails(f"charset is {excerpt(found[1])}", excerpt(f"content-type: {sight.content_type}"))
    return ok(found[1] if found else "none named, so UTF-8")


def _whole(sight: Sight) -> Finding:
    """The body's own end, by HTTP: the last chunk, all of Content-Length, or the close where neither was promised."""
    end = sight.exchange.end
    if sight.flaw:
        return fails(f"the body broke off: {sight.flaw}", excerpt(sight.body[-120:]) or "(no byte of it)")
    if sight.ended == "timeout" and sight.is_done:
        return ok("up to [DONE]")
    if end is None or not end.whole:
        return fails(f"the body broke off: {end.detail if end else 'no end was recorded'}", excerpt(sight.body[-120:]))
    return ok(f"{len(sight.body)} bytes")


def _ends(sight: Sight) -> Finding:
    if sight.ended == "timeout" and sight.is_done:
        return fails("[DONE] came, and the body did not end", excerpt(sight.body[-60:]))
    return ok("ends") if sight.is_whole else unknown("the body broke off")


def _delimited(sight: Sight) -> Finding:
    if "chunked" in sight.headers.get("transfer-encoding", "").lower():
        return ok("chunked")
    if "content-length" in sight.headers:
        return fails("a Content-Length: all of it was there before the first byte went out", _lines_of_head(sight))
    return fails("no chunks and no length: it ends where the connection does", _lines_of_head(sight))


def _lines_of_head(sight: Sight) -> str:
    head = sight.exchange.head
    shown = [f"{name}: {value}" for name, value in head.headers.pairs if "length" in name.lower()] if head else []
    return "; ".join([f"HTTP/{head.http_version} {head.status}" if head else "", *shown, "no transfer-encoding"])


def _coding(sight: Sight) -> Finding:
    coding = sight.headers.get("content-encoding", "")
    return (
        fails(f"Content-Encoding is {excerpt(coding)}", excerpt(f"content-encoding: {coding}"))
        if coding
        else ok("none")
    )


# --- the end


def not_cut(sight: Sight) -> str:
    """A stream that ended by itself, with whatever mark: what a break left out is told once, by stream-complete."""
    missing = stream_bytes(sight)
    if not missing and sight.stream_error:
        missing = "an error ended the stream"
    return missing or ("" if sight.is_done or sight.finish_reason else "the stream broke off")


def _complete(sight: Sight) -> Finding:
    """Either mark of a whole answer will do."""
    if sight.is_done or sight.finish_reason:
        return ok("[DONE]" if sight.is_done else f"finish_reason {sight.finish_reason}")
    if sight.stream_error:
        return unknown("an error ended the stream")
    last = sight.events[-1].event.data if sight.events else ""
    return fails("neither [DONE] nor a finish_reason: cut off, or as good as", excerpt(last) or "(no event)")


def _done(sight: Sight) -> Finding:
    if sight.is_done:
        return ok(f"after {sight.done_at} events")
    last = sight.events[-1].event.data if sight.events else ""
    return fails(f"no [DONE] after {len(sight.events)} events", excerpt(last) or "(no event)")


def _behind_done(sight: Sight) -> Finding:
    if not sight.is_done:
        return unknown("no [DONE]")
    at = next((place for place, block in enumerate(sight.blocks) if _data_of(block).strip() == DONE), len(sight.blocks))
    rest = sight.blocks[at + 1 :]
    return fails("events after [DONE]", excerpt(" ".join(rest[0]))) if rest else ok("nothing")


def _last_blank(sight: Sight) -> Finding:
    if re.search(r"(\n\n|\r\r|\r\n\r\n)\s*\Z", sight.text):
        return ok("a blank line ends it")
    return fails("no blank line after the last event", excerpt(sight.body[-60:]))


# --- how events are written


def _data_of(block: List[str]) -> str:
    values = [line[5:] for line in block if line.startswith("data:")]
    return "\n".join(value[1:] if value.startswith(" ") else value for value in values)


def _fields_of(block: List[str]) -> List[str]:
    return [line.partition(":")[0] for line in block if not line.startswith(":")]


def _json_data(sight: Sight) -> Finding:
    for timed, document in sight.parsed:
        data = timed.event.data
        if document is None and data.strip() and data.strip() != "null":
            return fails("data that is no JSON", excerpt(data))
    return ok(f"{len(sight.parsed)} events")


def _empty_data(sight: Sight) -> Finding:
    """Events by the letter of the standard need data; the official client dispatches on other fields as well."""
    for block in sight.blocks:
        fields = _fields_of(block)
        if fields and "error" not in fields and not _data_of(block).strip():
            return fails("an event without data", excerpt(" / ".join(block)))
    return ok("each has some")


def _kept_id(sight: Sight) -> Finding:
    """openai-python dispatches a comment as an event once an id was seen."""
    named = False
    for block in sight.blocks:
        named = named or "id" in _fields_of(block)
        if named and not _fields_of(block):
            return fails("a comment after an id", excerpt(" / ".join(block)))
    return ok("no comment follows an id")


def _no_error(sight: Sight) -> Finding:
    return fails("an error inside a 200", excerpt(sight.stream_error)) if sight.stream_error else ok("none")


def _bom(sight: Sight) -> Finding:
    return (
        fails("it begins with a byte order mark", excerpt(repr(sight.body[:20])))
        if sight.text[:1] == "\ufeff"
        else ok("none")
    )


def _utf8(sight: Sight) -> Finding:
    try:
        sight.body.decode("utf-8")
    except UnicodeDecodeError as error:
        return fails(
            f"byte {error.start} is no UTF-8", excerpt(repr(sight.body[max(0, error.start - 20) : error.end + 10]))
        )
    damage = damage_in(sight.answer_text)
    if damage and "surrogate" not in damage:
        return fails(damage, excerpt(sight.answer_text))
    return ok("good")


def _surrogates(sight: Sight) -> Finding:
    for chunk, delta in sight.deltas():
        content = delta.get("content")
        if isinstance(content, str) and any(0xD800 <= ord(mark) < 0xE000 for mark in content):
            return fails("half of a character in a delta", excerpt(json.dumps(chunk)))
    return ok("no character is cut in two")


def _line_ends(sight: Sight) -> Finding:
    if b"\r" not in sight.body:
        return ok("LF")
    kinds = {found[0].decode() for found in re.finditer(rb"\r\n|\r|\n", sight.body)}
    names = {"\r\n": "CRLF", "\r": "CR", "\n": "LF"}
    return fails(f"{' and '.join(sorted(names[kind] for kind in kinds))}", excerpt(repr(sight.body[:80])))


def _space(sight: Sight) -> Finding:
    for block in sight.blocks:
        line = next((line for line in block if line.startswith("data:")), "data: x")
        if not re.match(r"data: (?! )", line):
            return fails("not one space after data:", excerpt(line))
    return ok("data: and one space")


def _lines(sight: Sight) -> Iterator[str]:
    for block in sight.blocks:
        yield from block


def _one_line(sight: Sight) -> Finding:
    for block in sight.blocks:
        if _fields_of(block).count("data") > 1:
            return fails("an event over several data lines", excerpt(" / ".join(block)))
    return ok("one data line an event")


def _only_data(sight: Sight) -> Finding:
    names = sorted({name for block in sight.blocks for name in _fields_of(block)} - {"data"})
    if not names:
        return ok("data alone")
    first = next(block for block in sight.blocks if set(_fields_of(block)) & set(names))
    return fails(f"also {', '.join(excerpt(name, 30) for name in names)}", excerpt(" / ".join(first)))


def _comments(sight: Sight) -> Finding:
    found = [line for line in _lines(sight) if line.startswith(":")]
    return fails(f"{len(found)} comments", excerpt(found[0])) if found else ok("none")


def _separators(sight: Sight) -> Finding:
    found = re.search("[\u2028\u2029\x85]", sight.text)
    if not found:
        return ok("none")
    at = found.start()
    return fails(f"U+{ord(found[0]):04X} as it is", excerpt(ascii(sight.text[max(0, at - 30) : at + 10])))


STREAM = "stream"
SSE = "WHATWG HTML section 9.2"
API = "API reference, Streaming"


def _check(name: str, level: str, rule: str, source: str, need: Any, look: Any, breaks: str, cure: str) -> Check:
    return Check(name, STREAM, level, rule, source, about("stream", need, look), breaks, cure)


CHECKS: Tuple[Check, ...] = (
    _check(
        "stream-type",
        SHOULD,
        "A stream is text/event-stream.",
        SSE,
        good_status,
        _type,
        "browsers' EventSource and front ends that look at the type; a server that ignores stream",
        "set the Content-Type, and honour stream: true",
    ),
    _check(
        "stream-charset",
        SHOULD,
        "No other charset than UTF-8 is named.",
        SSE,
        stream_bytes,
        _charset,
        "requests with decode_unicode=True: é becomes Ã©",
        "leave it out, or say utf-8",
    ),
    _check(
        "stream-whole",
        MUST,
        "The body comes whole, by the rules of HTTP.",
        "RFC 9112 section 6.3",
        good_status,
        _whole,
        "every client: the answer is cut off",
        "a timeout of a proxy, a worker that died, a missing last chunk",
    ),
    _check(
        "stream-ends",
        SHOULD,
        "After [DONE] the body ends.",
        API,
        stream_bytes,
        _ends,
        "clients that read to the end hang until their timeout; the connection is lost for the next call",
        "close the generator after [DONE]",
    ),
    _check(
        "stream-framing",
        SHOULD,
        "A stream is sent in chunks.",
        "RFC 9112 section 7.1",
        stream_bytes,
        _delimited,
        "iter_lines() of requests holds text back; a cut looks like the end",
        "HTTP/1.1, and no proxy that collects the answer first",
    ),
    _check(
        "stream-coding",
        QUIRK,
        "A stream is not compressed.",
        "RFC 9110 section 8.4",
        good_status,
        _coding,
        "gzip without a flush for each event holds text back",
        "gzip off for text/event-stream",
    ),
    _check(
        "stream-complete",
        MUST,
        "A stream ends with [DONE] or a finish_reason.",
        API,
        good_status,
        _complete,
        "openai-python takes a cut answer for a whole one, without a word",
        "look why it stopped; see the last event",
    ),
    _check(
        "stream-done",
        SHOULD,
        "The last event is data: [DONE].",
        API,
        not_cut,
        _done,
        "clients that wait for it: some hang, some report a broken stream",
        "TGI and Gemini leave it out; send it",
    ),
    _check(
        "behind-done",
        QUIRK,
        "Nothing follows [DONE].",
        API,
        not_cut,
        _behind_done,
        "clients that read on; the rest is never seen by others",
        "send it before [DONE]",
    ),
    _check(
        "last-blank",
        QUIRK,
        "A blank line follows the last event.",
        SSE,
        not_cut,
        _last_blank,
        "decoders to the letter drop the last event",
        "end every event with two line ends",
    ),
    _check(
        "event-json",
        MUST,
        "The data of every event is JSON, up to [DONE].",
        API,
        stream_bytes,
        _json_data,
        "openai-python: JSONDecodeError in the middle of the answer",
        "comments begin with a colon and no data:; a text that was cut and glued is lost",
    ),
    _check(
        "event-data",
        MUST,
        "Every event has data.",
        f"{SSE}; openai-python issue 2722",
        stream_bytes,
        _empty_data,
        "openai-python up to 3.52: JSONDecodeError, the stream is dead",
        "send keep-alives as comments, and id, retry and event only together with data",
    ),
    _check(
        "event-id",
        MUST,
        "No comment comes after an id.",
        f"{SSE}; openai-python issue 2722",
        stream_bytes,
        _kept_id,
        "openai-python up to 3.52 keeps the id and takes the comment for an event: JSONDecodeError",
        "leave ids out: nobody resumes a completion",
    ),
    _check(
        "stream-errors",
        MUST,
        "No error comes inside a 200.",
        API,
        good_status,
        _no_error,
        "openai-python raises APIError without status; other clients show the text so far as the answer",
        "the error's own words are below; where it is known before the first event, send a status",
    ),
    _check(
        "event-bom",
        MUST,
        "A stream begins without a byte order mark.",
        f"{SSE} (allowed there)",
        stream_bytes,
        _bom,
        "openai-python loses the first chunk in silence",
        "write UTF-8 without BOM",
    ),
    _check(
        "stream-utf8",
        MUST,
        "The stream is good UTF-8.",
        SSE,
        stream_bytes,
        _utf8,
        "openai-python: UnicodeDecodeError; others show U+FFFD",
        "decode tokens only where a character is whole",
    ),
    _check(
        "surrogates",
        SHOULD,
        "No character is cut in two between deltas.",
        "RFC 8259 section 8.2",
        stream_bytes,
        _surrogates,
        "UnicodeEncodeError when the piece is printed",
        "hold half of a pair back; a gateway that slices UTF-16",
    ),
    _check(
        "line-ends",
        QUIRK,
        "Lines end with LF.",
        SSE,
        stream_bytes,
        _line_ends,
        "parsers that split at two LFs; iter_lines() of requests where CR and LF come apart",
        "LF is what others send",
    ),
    _check(
        "data-space",
        QUIRK,
        "One space stands after data:.",
        SSE,
        stream_bytes,
        _space,
        "parsers that cut off six characters: line[6:]",
        "one space, as everybody else",
    ),
    _check(
        "data-lines",
        QUIRK,
        "An event has one data line.",
        SSE,
        stream_bytes,
        _one_line,
        "parsers that read line by line",
        "write the JSON without line ends",
    ),
    _check(
        "event-fields",
        QUIRK,
        "An event has data and no other field.",
        API,
        stream_bytes,
        _only_data,
        "parsers that expect every line to be data",
        "allowed by the standard; good to know",
    ),
    _check(
        "comments",
        QUIRK,
        "There are no comments.",
        API,
        stream_bytes,
        _comments,
        "parsers that expect every line to be data; read timeouts never strike while comments come",
        "allowed, and useful behind a proxy that closes silent connections",
    ),
    _check(
        "separators",
        QUIRK,
        "U+2028, U+2029 and U+0085 are escaped.",
        SSE,
        stream_bytes,
        _separators,
        "parsers that use str.splitlines(): the JSON is cut in two",
        "allowed; json.dumps escapes them by default",
    ),
)
