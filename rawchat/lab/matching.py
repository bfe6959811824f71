"""Which recorded exchange answers a request, by method, path, query and parsed JSON; and what differs where none does.

    asked     POST http://127.0.0.1:4000/v1/chat/completions   {"model": "m", "messages": [...]}
    #1        POST https://api.openai.com/v1/chat/completions  {"messages":[...],"model":"m"}        fits: played first
    #4        the same again                                                                         played next
    asked     ... "temperature": 0.5                                                                 CassetteMiss:

        no recording in calls.jsonl fits POST /chat/completions
        nearest: #1 POST /v1/chat/completions; recorded -> asked:
          temperature: absent -> 0.5

The order of keys, spacing and escapes of JSON don't count, nor does what stands before the /v1 of a path. A secret that
was hidden fits any. Headers count where they are named. Plays nothing: replay_transport.py and replay.py do.
"""

from __future__ import annotations

import json
import re
import threading
from typing import Any, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ..protocol.errors import PayloadError
from ..protocol.feature_errors import CassetteMiss
from ..protocol.wire import Headers, Request
from .exchange import Exchange
from .hiding import Hider

# What becomes of a request whose recordings have all been played.
AFTER_LAST: Mapping[str, str] = {
    "miss": "it is a miss: the program asks more often than was recorded",
    "last": "the last of them is played again",
    "again": "they are played from the first again",
}
MOST_DIFFERENCES = 8  # that a miss shows
_VERSION = re.compile(r"\A.*/v[0-9][a-z0-9]*(?:/openai)?(?=/)")  # /v1, /api/v1, Google's /v1beta/openai
_MARK = re.compile(r"<key:[0-9a-f]{6}\**>|\*{4,}")
_STEP = re.compile(r"\.?([^.\[\]]+)|\[([0-9]+|\*)\]")


class Absent:
    """What stands where there is nothing: in JSON, absent is not null."""

    def __repr__(self) -> str:
        return "absent"


ABSENT = Absent()


class Difference(NamedTuple):
    """One place where a request is not what was recorded: `messages[0].content`, `query.api-version`, `header.x-a`."""

    path: str
    recorded: Any
    asked: Any


class Question(NamedTuple):
    """What a request asks for, in the parts that count."""

    method: str
    endpoint: str  # its path after /v1
    shown_path: str
    parts: Dict[str, Any]  # the body's JSON (or the body as text) under "", then "query" and "header"

    @property
    def title(self) -> str:
        return f"{self.method} {self.shown_path}"


class Rules(NamedTuple):
    """What counts, and what does not. Each path to ignore is the name of a part of the question, and steps in it."""

    ignore: Tuple[Tuple[str, Tuple[str, ...]], ...] = ()
    headers: Tuple[str, ...] = ()
    by_path: bool = False


def rules_for(ignore: Iterable[str] = (), headers: Iterable[str] = (), by_path: bool = False) -> Rules:
    """`ignore` holds paths such as "user", "messages[*].name", "query.api-version"; `headers` names what must be equal.

    Raises PayloadError for what is no path.
    """
    if isinstance(ignore, str) or isinstance(headers, str):
        raise PayloadError('ignore= and headers= are lists, such as ["user", "metadata.run"]', path="ignore")
    return Rules(tuple(_place(path) for path in ignore), tuple(name.lower() for name in headers), by_path)


def _place(path: str) -> Tuple[str, Tuple[str, ...]]:
    """`messages[*].name` -> ("", ("messages", "*", "name")); `$.query` is a field of the body, `query.a` is none."""
    bare = path[1:] if path.startswith("$") else path
    found = list(_STEP.finditer(bare))
    steps = tuple(each[1] or each[2] for each in found)
    if not steps or "".join(each[0] for each in found) != bare:
        raise PayloadError(f"{path!r} is no path; write it like messages[0].content or metadata.*", path="ignore")
    if steps[0] == "query" and len(steps) > 1 and bare is path:
        return "query", steps[1:]
    return "", steps


def endpoint_of(path: str) -> str:
    """What stands after the version: an SDK's base URL may have a /v1 where the recorded one had another, or none.

    >>> endpoint_of("/api/v1/chat/completions"), endpoint_of("/chat/completions")
    ('/chat/completions', '/chat/completions')
    """
    return _VERSION.sub("", path).rstrip("/") or "/"


def question_of(request: Request, rules: Rules, target: str = "") -> Question:
    """What counts of a request. `target` stands in for its URL where that is known to be what was asked for."""
    from urllib.parse import parse_qsl, urlsplit

    address = urlsplit(target or request.url)
    headers = Headers(request.headers)
    query: Dict[str, Any] = {}
    for name, value in parse_qsl(address.query, keep_blank_values=True):
        query[name] = f"{query[name]}, {value}" if name in query else value
    parts: Dict[str, Any] = {
        "": None if rules.by_path else _body_of(request, headers),
        "query": {} if rules.by_path else query,
        "header": {name: headers[name] for name in rules.headers if name in headers},
    }
    for part, steps in rules.ignore:
        _remove(parts[part], steps)
    return Question(request.method, endpoint_of(address.path), address.path or "/", parts)


def _body_of(request: Request, headers: Headers) -> Any:
    try:
        return json.loads(request.body) if request.body else ABSENT
    except (ValueError, RecursionError):
        text = request.body.decode("latin-1")
    kind, _, boundary = headers.get("content-type", "").partition("boundary=")
    if kind.lower().startswith("multipart/") and boundary:  # thrown with dice for each request
        text = text.replace(boundary.split(";")[0].strip(' "'), "boundary")
    return text


def _remove(value: Any, steps: Sequence[str]) -> None:
    """Take what stands at a path out of a document; nothing where there is no such place."""
    step, rest = steps[0], steps[1:]
    if isinstance(value, dict):
        names = list(value) if step == "*" else [step] if step in value else []
        for name in names:
            if rest:
                _remove(value[name], rest)
            else:
                del value[name]
    elif isinstance(value, list) and (step == "*" or step.isdigit()):
        places = range(len(value)) if step == "*" else range(int(step), min(int(step) + 1, len(value)))
        for place in places:
            if rest:
                _remove(value[place], rest)
            else:
                value[place] = None  # taken out of a list, it would give its neighbours other numbers


# --- comparing ------------------------------------------------------------------------------------------------------


def differences(recorded: Any, asked: Any, path: str = "") -> Iterator[Difference]:
    """Where two documents differ, by path. 1 and 1.0 are one number to JSON; true is none."""
    if isinstance(recorded, dict) and isinstance(asked, dict):
        for name in dict.fromkeys((*recorded, *asked)):
            inner = f"{path}.{name}" if path else str(name)
            yield from differences(recorded.get(name, ABSENT), asked.get(name, ABSENT), inner)
    elif isinstance(recorded, list) and isinstance(asked, list):
        for place in range(max(len(recorded), len(asked))):
            ours = recorded[place] if place < len(recorded) else ABSENT
            theirs = asked[place] if place < len(asked) else ABSENT
            yield from differences(ours, theirs, f"{path}[{place}]")
    elif not _is_equal(recorded, asked):
        yield Difference(path, recorded, asked)


def _is_equal(recorded: Any, asked: Any) -> bool:
    if isinstance(recorded, str) and isinstance(asked, str):
        return fits_text(recorded, asked)
    if isinstance(recorded, bool) or isinstance(asked, bool):
        return recorded is asked
    return bool(recorded == asked)


def fits_text(recorded: str, asked: str) -> bool:
    """Whether a text is what was recorded, where each mark that stands for a secret fits anything.

    >>> fits_text("my key is <key:3f2a91***>, no?", "my key is sk-other, no?")
    True
    """
    if recorded == asked:
        return True
    parts = _MARK.split(recorded)
    if len(parts) == 1 or not asked.startswith(parts[0]):
        return False
    # As a shell's * is matched: each part at its first place from the left, the last one at the very end.
    place = len(parts[0])
    for part in parts[1:-1]:
        place = asked.find(part, place + 1)
        if place < 0:
            return False
        place += len(part)
    return len(asked) - len(parts[-1]) > place and asked.endswith(parts[-1])


def compare(recorded: Question, asked: Question) -> List[Difference]:
    """Every difference that counts; none: it fits."""
    found: List[Difference] = []
    if recorded.method != asked.method:
        found.append(Difference("method", recorded.method, asked.method))
    if not fits_text(recorded.endpoint, asked.endpoint):
        found.append(Difference("path", recorded.shown_path, asked.shown_path))
    for name, path in (("", ""), ("query", "query"), ("header", "header")):
        found += [
            each._replace(path=each.path or "body")
            for each in differences(recorded.parts[name], asked.parts[name], path)
        ]
    return found


# --- the shelf ------------------------------------------------------------------------------------------------------


class Shelf:
    """Recorded exchanges, and which of them is played next. Safe to share between threads.

    ignore      paths of the body (or `query.NAME`) that don't count
    headers     names of headers that do
    after_last  a key of AFTER_LAST
    by_path     whether method and path alone decide
    """

    def __init__(
        self,
        exchanges: Iterable[Exchange],
        *,
        ignore: Iterable[str] = (),
        headers: Iterable[str] = (),
        after_last: str = "miss",
        by_path: bool = False,
        name: str = "the cassette",
    ) -> None:
        if after_last not in AFTER_LAST:
            raise PayloadError(f"after_last is one of {', '.join(AFTER_LAST)}; got {after_last!r}", path="after_last")
        self.name = name
        self.after_last = after_last
        self.rules = rules_for(ignore, headers, by_path)
        self.exchanges = list(exchanges)
        self._questions = [question_of(each.request, self.rules, each.target) for each in self.exchanges]
        self._by_print: Dict[str, List[int]] = {}
        self._with_marks: List[int] = []  # their text fits more than one
        for place, question in enumerate(self._questions):
            fingerprint = _fingerprint(question)
            self._by_print.setdefault(fingerprint, []).append(place)
            if _MARK.search(fingerprint):
                self._with_marks.append(place)
        self._played = [0] * len(self.exchanges)
        self._lock = threading.Lock()

    def take(self, request: Request, target: str = "") -> Exchange:
        """The exchange that is due for this request. Raises CassetteMiss."""
        asked = question_of(request, self.rules, target)
        fitting = self._fitting(asked)
        with self._lock:
            place = self._next(fitting)
            if place is not None:
                self._played[place] += 1
                return self.exchanges[place]
        hider = Hider().for_request(request.url, request.headers, request.body)
        raise CassetteMiss(hider.text(self._miss(asked, fitting)))

    def _fitting(self, asked: Question) -> List[int]:
        """Places of all that fit, in order."""
        same = self._by_print.get(_fingerprint(asked), [])
        alike = [place for place in self._with_marks if not compare(self._questions[place], asked)]
        return sorted({*same, *alike})

    @property
    def unplayed(self) -> List[Exchange]:
        """What nobody has asked for yet."""
        with self._lock:
            return [exchange for exchange, times in zip(self.exchanges, self._played) if not times]

    def _next(self, fitting: List[int]) -> Optional[int]:
        least = min((self._played[place] for place in fitting), default=0)
        if not fitting or (least and self.after_last == "miss"):
            return None
        if least and self.after_last == "last":
            return fitting[-1]
        return next(place for place in fitting if self._played[place] == least)

    def _miss(self, asked: Question, fitting: List[int]) -> str:
        if fitting:
            numbers = ", ".join(f"#{self.exchanges[place].number}" for place in fitting)
            return (
                f"{asked.title} was asked more often than {self.name} has it: what fits, {numbers}, was played "
                'already; after_last="again" plays on from the first, after_last="last" repeats the last'
            )
        if not self.exchanges:
            return f"{self.name} holds no exchange, so none fits {asked.title}"
        found = [(compare(each, asked), place) for place, each in enumerate(self._questions)]
        nearest, place = min(found, key=lambda row: (_distance(row[0]), row[1]))
        lines = [
            f"no recording in {self.name} fits {asked.title}",
            f"nearest: #{self.exchanges[place].number} {self._questions[place].title}; recorded -> asked:",
            *(f"  {describe_difference(each)}" for each in nearest[:MOST_DIFFERENCES]),
        ]
        if len(nearest) > MOST_DIFFERENCES:
            lines.append(f"  and {len(nearest) - MOST_DIFFERENCES} more")
        return "\n".join(lines)


def _fingerprint(question: Question) -> str:
    """The same for all that are equal, marks aside."""
    counted = [question.method, question.endpoint, _plain(question.parts)]
    return json.dumps(counted, sort_keys=True, ensure_ascii=False, default=repr)


def _plain(value: Any) -> Any:
    """1.0 as 1: to JSON they are one number."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _distance(found: List[Difference]) -> int:
    far = {"method": 1000, "path": 1000, "body": 100}
    return sum(far.get(each.path, 1) for each in found)


def describe_difference(each: Difference) -> str:
    """`temperature: absent -> 0.5`; of long texts, the part around the first place where they differ."""
    recorded, asked = each.recorded, each.asked
    if isinstance(recorded, str) and isinstance(asked, str):
        start = next(
            (at for at, (one, two) in enumerate(zip(recorded, asked)) if one != two), min(len(recorded), len(asked))
        )
        return f"{each.path}: {_text_around(recorded, start)} -> {_text_around(asked, start)}"
    return f"{each.path}: {_value(recorded)} -> {_value(asked)}"


def _text_around(text: str, place: int, width: int = 48) -> str:
    start = max(place - 12, 0) if len(text) > width else 0
    shown = text[start : start + width]
    cut_off = "..." if start + width < len(text) else ""
    return ("..." if start else "") + json.dumps(shown, ensure_ascii=False) + cut_off


def _value(value: Any) -> str:
    if value is ABSENT:
        return "absent"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
