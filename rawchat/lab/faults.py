"""The one table of faults, and the grammar of their names.

    429x2                  the first two requests get a 429, the next one its answer
    429x2=retry-after:5    ... and are told to wait 5 seconds
    cut@3                  the connection closes after the third event
    crlf+slow=500          two at once: CRLF line ends, and 500 ms between events
    429x1+503x2            a 429, then a 503, then the answer: where two contradict, the one named first wins

    part = NAME [@N] [xN] [=VALUE | =OPTION:VALUE,OPTION:VALUE]          fault = part [+part]...

A row of the table says what is different at which stage of an answer (before the head, head, documents, bytes, framing,
ending), and `plan_for` merges the rows in force into one `Plan`. The practice server and the tap carry the plan out;
nothing here opens a socket or looks at a clock. The same requests in the same order meet the same faults.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple, Union

from .edits import Document, apply_edits
from .fault_status import ERROR_SHAPES, STATUS_OPTIONS, STATUSES, Instead, Row, Wait, status_row, turn
from .fault_table import AT, GROUPS
from .framing import CUTTERS, Dialect, Groups, end_events, write_events

FAULTS: Mapping[str, Row] = {row.name: row for _, rows in GROUPS for row in rows}
__all__ = ["FAULTS", "Counter", "FaultNameError", "Part", "Plan", "Wait", "parse_fault", "plan_for", "stream_pieces"]


class FaultNameError(ValueError):
    """No such fault, or not with this N or this option. The message names the nearest."""


class Plan(NamedTuple):
    """All that is different about one answer, stage by stage. The empty Plan changes nothing."""

    names: Tuple[str, ...] = ()
    # before the head
    before: str = ""  # "stall", "close", "reset", "garbage", "half"
    head_delay_ms: float = 0.0
    refuses: Tuple[str, ...] = ()  # parameters that this server says it does not know: a 400 if the request has one
    # the head
    instead: Optional[Instead] = None  # this, and not the real answer
    wait: Wait = Wait()
    shape: str = ""  # "whole": JSON though a stream was asked; "stream": the other way round
    headers: Tuple[Tuple[str, Optional[str]], ...] = ()  # set after all others; None removes; see `fill_headers`
    # documents
    edits: Tuple[Tuple[Callable[[List[Document], Any], List[Document]], Any], ...] = ()
    needs_usage: bool = False  # the servers that do this send usage unasked
    # events -> bytes
    dialect: Tuple[Tuple[str, Any], ...] = ()
    cutting: str = ""  # a key of framing.CUTTERS
    piece_ms: float = 0.0  # between two writes of one event
    pace_ms: Optional[float] = None  # before each event; None: the server's own pace
    first_ms: Optional[float] = None  # before the first event
    # framing
    framing: str = ""  # "chunked", "length", "close"; "" is what suits the answer
    version: str = "1.1"
    coding: str = ""
    flush: bool = True
    length_error_bytes: int = 0
    last_chunk: bool = True
    trailers: Tuple[Tuple[str, str], ...] = ()
    raw_body: bytes = b""  # sent as the body, as it is, in place of framed pieces
    # ending
    ending: Tuple[str, int, str] = (
        "",
        -1,
        "",
    )  # act ("cut", "reset", "stall", "comments"), after which event, where in the next


_ADDED_UP = frozenset({"refuses", "headers", "edits", "dialect", "trailers"})


class Part(NamedTuple):
    """One fault of a name, parsed. `times`: only the first so many requests (None: every one). `text`: as written."""

    row: Row
    at: Optional[int]
    times: Optional[int]
    options: Tuple[Tuple[str, str], ...]
    text: str


_PART = re.compile(r"(?P<name>[a-z0-9-]*?[a-z0-9])(?P<counts>(?:[@x]\d+)*)(?:=(?P<value>.*))?\Z")


def parse_fault(text: str) -> Tuple[Part, ...]:
    """The parts of a fault's name, in order; () for a blank one. Raises FaultNameError."""
    return tuple(_parse_part(piece.strip()) for piece in text.split("+") if piece.strip())


def _parse_part(text: str) -> Part:
    found = _PART.match(text)
    if not found:
        raise FaultNameError(
            f"{text!r} is no fault. The form is NAME[@N][xN][=VALUE], for example cut@3 or 429x2=retry-after:1."
        )
    row = _find_row(found["name"])
    counts = {mark: int(number) for mark, number in re.findall(r"([@x])(\d+)", found["counts"])}
    if "@" in counts and row.at is None:
        raise FaultNameError(f"The fault {row.name!r} takes no @N: it does not happen at a certain event.")
    if counts.get("x") == 0:
        raise FaultNameError(f"{text!r} would never happen: xN counts the requests that meet the fault, from 1.")
    options = _parse_options(row, found["value"])
    part = Part(row, counts.get("@", row.at), counts.get("x"), options, text)
    _knobs(part)  # a value that is no number fails here, where its name is at hand, and not in the middle of an answer
    return part


def _find_row(name: str) -> Row:
    if name in FAULTS:
        return FAULTS[name]
    if re.fullmatch(r"[45]\d\d", name):  # every error status is a fault, also one that the table has no words for
        return status_row(int(name))
    import difflib

    near = difflib.get_close_matches(name, FAULTS, n=3, cutoff=0.5)
    hint = f" Do you mean {' or '.join(near)}?" if near else ""
    raise FaultNameError(f"There is no fault {name!r}.{hint} All of them: practice --list-faults")


def _parse_options(row: Row, value: Optional[str]) -> Tuple[Tuple[str, str], ...]:
    if value is None:
        return ()
    if not row.options:
        raise FaultNameError(f"The fault {row.name!r} takes no value.")
    options = []
    for piece in value.split(","):
        name, colon, rest = piece.partition(":")
        if not colon or name not in row.options:
            name, rest = next(iter(row.options)), piece  # a bare value is the first option's
            if colon:
                raise FaultNameError(
                    f"The fault {row.name!r} knows {', '.join(row.options)}, but no option {piece.split(':')[0]!r}."
                )
        options.append((name, rest))
    return tuple(options)


def _filled(value: Any, at: Optional[int]) -> Any:
    """The knob with N in the place of AT."""
    if value is AT:
        return at
    if type(value) is tuple:  # a named tuple is a value of its own
        return tuple(_filled(item, at) for item in value)
    return value


def _knobs(part: Part) -> Dict[str, Any]:
    """What one part turns: the row's knobs, then its options over them."""
    knobs = {name: _filled(value, part.at) for name, value in part.row.knobs.items()}
    for option, value in part.options:
        turn(knobs, _settings(part, option, value))
    return knobs


def _settings(part: Part, option: str, value: str) -> Dict[str, Any]:
    try:
        return part.row.options[option](value)
    except (ValueError, KeyError) as error:
        raise FaultNameError(f"{option}:{value} of the fault {part.text!r} cannot be used: {error}") from error


def parts_in_force(parts: Tuple[Part, ...], attempt: int) -> Tuple[Part, ...]:
    """Those that meet the `attempt`-th request (from 1)."""
    return tuple(part for part in parts if part.times is None or attempt <= part.times)


def _claims(knobs: Mapping[str, Any]) -> bool:
    """Whether these knobs decide what the answer is, and not only how it is sent."""
    return "instead" in knobs or "before" in knobs


def plan_for(fault: Union[str, Tuple[Part, ...]], attempt: int = 1, *, stream: bool = True) -> Plan:
    """What is different about the answer to the `attempt`-th request. Where two parts contradict, the first one wins.

    `stream`: the answer is an event stream; parts that change nothing about a whole reply are left out where it is not.
    """
    parts = parse_fault(fault) if isinstance(fault, str) else fault
    merged: Dict[str, Any] = {}
    acting = tuple(part for part in parts_in_force(parts, attempt) if stream or part.row.only != "stream")
    for part in acting:
        knobs = _knobs(part)
        if _claims(merged) and _claims(knobs):
            continue  # 429x1+503x2: the whole second answer gives way, its headers too
        for name, value in knobs.items():
            if name in _ADDED_UP:
                merged[name] = merged.get(name, ()) + value
            else:
                merged.setdefault(name, value)
    return Plan(names=tuple(part.row.name for part in acting), **merged)


class Counter:
    """Counts requests for `xN`, for each fault text and each request (method, path and body) on its own.

    A retry sends the same body and so counts on; a new conversation has another body and starts anew. And once all
    parts that are counted have had their turn, the request that got through starts the count anew as well: the same
    question asked again meets the same faults again, however long the server runs.
    """

    def __init__(self) -> None:
        self._seen: Dict[Tuple[str, str], int] = {}

    def attempt(self, fault: str, fingerprint: str, parts: Tuple[Part, ...]) -> int:
        """Which request this is, from 1."""
        key = (fault, fingerprint)
        attempt = self._seen.get(key, 0) + 1
        last = max((part.times for part in parts if part.times is not None), default=0)
        self._seen[key] = 0 if attempt > last else attempt
        return attempt


# The pure way from documents to what is written ----------------------------------------------------------------------


def edited(documents: List[Document], plan: Plan) -> List[Document]:
    """The documents as this plan has them sent, the ending not yet taken into account."""
    return apply_edits(documents, plan.edits)


def stream_pieces(documents: List[Document], plan: Plan) -> Groups:
    """Edited documents as the writes of an event stream, as far as the plan's ending lets them come. Not yet framed."""
    dialect = Dialect(**dict(plan.dialect))
    _, at, where = plan.ending
    return CUTTERS[plan.cutting](end_events(write_events(documents, dialect), at, where))


def whole_pieces(body: bytes, plan: Plan) -> Groups:
    """A body that is no stream, as writes. It has no events: an ending that breaks it breaks it in the middle."""
    act, at, _ = plan.ending
    if act and at >= 0:
        body = body[: len(body) // 2]
    return [[body]] if plan.cutting != "bytes" else CUTTERS["bytes"]([body])


def error_body(instead: Instead, wait: Wait) -> Tuple[bytes, str]:
    """Body and content type of an answer that stands in for the real one."""
    if instead.body is not None:
        return instead.body, instead.content_type
    error = dict(instead.error or {})
    if wait.in_text:
        error["message"] = f"{error.get('message', '')} {wait.in_text}".strip()
    return ERROR_SHAPES[instead.shape](instead.status, error)


def fill_headers(
    pairs: List[Tuple[str, str]],
    changes: Tuple[Tuple[str, Optional[str]], ...],
    *,
    now_s: float,
    url: str = "",
) -> List[Tuple[str, str]]:
    """The header pairs with the plan's changes: None removes, a known name is replaced in its place, others are added.

    "{date+N}" in a value becomes the HTTP date N seconds after `now_s` (Unix time), "{redirected}" `url`.
    """
    for name, value in changes:
        pairs = [pair for pair in pairs if pair[0].lower() != name or value is not None]
        if value is None:
            continue
        text = re.sub(r"\{date\+([\d.]+)\}", lambda found: http_date(now_s + float(found[1])), value).replace(
            "{redirected}", url
        )
        places = [place for place, pair in enumerate(pairs) if pair[0].lower() == name]
        if places:
            pairs[places[0]] = (pairs[places[0]][0], text)
        else:
            pairs.append((name, text))
    return pairs


def http_date(unix_s: float) -> str:
    from email.utils import formatdate

    return formatdate(unix_s, usegmt=True)


def invites_retry(status: int, error: Any, headers: Mapping[str, str]) -> Optional[bool]:
    """What an answer with this head says about trying again: True, False, or None where that is no question."""
    said = headers.get("x-should-retry")
    if said in ("true", "false"):
        return said == "true"
    if status < 400:
        return None
    if isinstance(error, dict) and "insufficient_quota" in (error.get("code"), error.get("type")):
        return False
    return status in (408, 409, 425, 429) or status >= 500


def list_faults(width: int = 118) -> str:
    """The table for people, in lines of at most `width`: name with its default N and options, and what it does."""
    import textwrap

    def told(text: str) -> None:
        lines.extend(textwrap.wrap(text, width, break_on_hyphens=False))

    lines: List[str] = []
    told("NAME[@N][xN][=VALUE]; several joined by +; @N: at the N-th event; xN: only the first N requests.")
    lines.append("")
    for heading, rows in GROUPS:
        lines.append(heading)
        for row in rows:
            name = row.name + (f"@{row.at}" if row.at is not None else "")
            options = f" Options: {', '.join(row.options)}." if row.options and len(row.options) < 4 else ""
            lines += textwrap.wrap(
                row.says + options, width, initial_indent=f"  {name:<18} ", subsequent_indent=" " * 21
            )
        lines.append("")
    told(f"Any other status from 400 to 599 works too; with words of their own: {', '.join(map(str, STATUSES))}.")
    told(
        f"Options of a status, the first also without its name: {', '.join(STATUS_OPTIONS)}; "
        f"body is one of {', '.join(name for name in ERROR_SHAPES if name)}. "
        "Example: 503x2=retry-after:0.5,body:html"
    )
    return "\n".join(lines)
