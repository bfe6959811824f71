"""The log: what a call did, for the `logging` module, without a word of what was said.

    call 3, attempt 1: POST https://api.openai.com/v1/chat/completions, gpt-4o-mini, RateLimitError, status 429,
        code rate_limit_exceeded, request id req_1, head after 98 ms, end after 99 ms, 214 bytes
    call 3: waiting 2 s before attempt 2: 429 rate limit, the server asks for 2 s
    call 3, attempt 2: POST https://api.openai.com/v1/chat/completions, gpt-4o-mini, status 200, request id req_2,
        head after 412 ms, end after 3104 ms, 12304 bytes, 87 events, 412+87 tokens, finish_reason stop, $0.000114

The logger has the package's name (`logging.getLogger("rawchat")`). INFO tells each attempt when it is over and each
wait before it begins; DEBUG also tells what is under way: an attempt that goes out, a head that is here. Each record
carries the same facts as fields (`record.status`, `record.head_ms`, ...; see FACTS). All of it is metadata.

Bodies, and the server's own words about an error (they may quote the prompt), need a wish of their own beside level
DEBUG: RAWCHAT_LOG=debug in the environment, or a `LogListener(bodies=True)` among a client's listeners. Known keys are
hidden even there. A key that is cut in two by the events of a stream is not recognised: it is message content then.

Does not import `logging` unless RAWCHAT_LOG asks for it: where nobody has loaded that module, nobody listens. Adds a
handler only for RAWCHAT_LOG, and only where there is none. Headers are not logged; the trace shows them.
"""

from __future__ import annotations

import json
import re
import sys
import threading
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, List, Mapping, Optional, Tuple

from .protocol.errors import APIConnectionError, APIError, APITimeoutError, InvalidResponseError, StreamInterrupted
from .protocol.events import Chunked, Done, Failed, Listener, Received, Sending, Waiting, WireEvent
from .protocol.redact import redact_text, secrets_of
from .protocol.sse import SSEDecoder
from .protocol.status import request_id_from
from .settings import from_environment

if TYPE_CHECKING:
    import logging

VARIABLE = "RAWCHAT_LOG"  # keeps its name in a copy of the package that has another one
# While a module comes out of a zip, Python 3.9 has not yet told it its package.
LOGGER = __package__ or __name__.rpartition(".")[0] or __name__
DEBUG, INFO = 10, 20  # logging's own numbers, here without logging
WISHES = {"info": (INFO, False), "debug": (DEBUG, True)}  # the variable's value -> the level, and whether bodies show
FORMAT = "%(asctime)s %(name)s %(levelname)s %(message)s"
LONGEST_BODY = 20_000  # characters of one body; more than most prompts have, less than one picture
MOST_CALLS = 10_000  # calls under way that are remembered; one whose task was cancelled never tells that it ended

# Each fact of a record: its field, and its words in the line. Those with "" stand in other words of the line.
FACTS: Dict[str, str] = {
    "method": "{method} {url}",
    "url": "",
    "model": "{model}",
    "error": "{error}",
    "phase": "phase {phase}",
    "status": "status {status}",
    "error_code": "code {error_code}",
    "error_type": "type {error_type}",
    "error_param": "param {error_param}",
    "request_id": "request id {request_id}",
    "said": "{said}",
    "head_ms": "head after {head_ms} ms",
    "duration_ms": "end after {duration_ms} ms",
    "request_bytes": "{request_bytes} bytes",
    "transport": "through {transport}",
    "response_bytes": "{response_bytes} bytes",
    "events": "{events} events",
    "prompt_tokens": "{prompt_tokens}+{completion_tokens} tokens",
    "completion_tokens": "",
    "finish_reason": "finish_reason {finish_reason}",
    "cost_usd": "${cost_usd:.6f}",
    "left_early": "left before the end",
}
# Query parameters whose value is no secret; of any other, only the name is shown.
OPEN_PARAMETERS = frozenset(("api-version", "limit", "after", "before", "order", "purpose"))


class LogListener:
    """A listener that writes to a logger, by default the package's own; each client has one of its own accord.

    bodies   True shows bodies and the server's error texts at level DEBUG, keys hidden
    secrets  further strings to hide; the keys in a request's headers and URL are hidden wherever they turn up
    """

    def __init__(
        self, logger: Optional[logging.Logger] = None, *, bodies: bool = False, secrets: Iterable[str] = ()
    ) -> None:
        self.bodies = bodies
        self.secrets = tuple(secrets)
        self._logger = logger
        self._calls: Dict[int, _Attempt] = {}  # the attempt under way, by number of the call
        self._lock = threading.Lock()  # around a change of _calls or of listeners, never while something is logged

    def __repr__(self) -> str:
        return f"LogListener(bodies={self.bodies}, {len(self._calls)} calls under way)"

    def wanted(self, level: int = INFO) -> bool:
        """Whether anybody listens at that level, by the configuration of this moment."""
        if self._logger is None:
            # Another thread may be in the middle of importing it: getLogger is defined after what it needs.
            get_logger = getattr(sys.modules.get("logging"), "getLogger", None)
            if get_logger is None:
                return False
            self._logger = get_logger(LOGGER)
        return self._logger.isEnabledFor(level)

    def attend(self, listeners: List[Listener]) -> None:
        """Join the listeners of a client while somebody reads the log. Asked before each attempt, for many a program
        sets logging up late.
        """
        if self.wanted() != (self in listeners):
            with self._lock:  # looked at again: another thread may have been faster
                if self in listeners:
                    listeners.remove(self)
                elif self.wanted():
                    listeners.append(self)

    def __call__(self, event: WireEvent) -> None:
        if isinstance(event, Sending):
            if self.wanted():
                self._sending(event)
            return
        attempt = self._calls.get(event.call)
        if attempt is not None:  # else nobody listened when it began
            _TELLERS[type(event)](self, event, attempt)

    def _sending(self, event: Sending) -> None:
        attempt = _Attempt(event, self.secrets, keep=self._shows_bodies())
        with self._lock:
            self._calls[event.call] = attempt
            if len(self._calls) > MOST_CALLS:
                del self._calls[next(iter(self._calls))]
        if self.wanted(DEBUG):
            facts = {**attempt.facts, "request_bytes": len(event.request.body), "transport": event.transport or None}
            self._write(DEBUG, "sending", attempt, facts)
        if attempt.keep and event.request.body:
            self._body("request_body", attempt, event.request.body)

    def _received(self, event: Received, attempt: _Attempt) -> None:
        attempt.begin(event)
        if self.wanted(DEBUG):
            self._write(DEBUG, "received", attempt, attempt.facts)

    def _chunked(self, event: Chunked, attempt: _Attempt) -> None:
        attempt.add(event.data)

    def _waiting(self, event: Waiting, attempt: _Attempt) -> None:
        # What follows an error status is put in our words; any other reason may begin with words of the server's.
        why = event.why if attempt.facts.get("status", 0) >= 300 else _words(attempt.facts, _REASON)
        facts = {"wait_s": event.wait_s, "why": _line(why, attempt.secrets)}
        text = f"waiting {event.wait_s:.3g} s before attempt {event.attempt + 1}: {facts['why']}"
        self._record(INFO, "waiting", f"call {event.call}: {text}", attempt, facts)

    def _failed(self, event: Failed, attempt: _Attempt) -> None:
        attempt.finish(event.at_s)
        attempt.facts.update(_of_error(event.error, attempt.secrets))
        self._ended("failed", attempt, {**attempt.facts, "final": event.final})
        if attempt.keep:
            text = _line(str(event.error), attempt.secrets)
            where = f"call {attempt.call}, attempt {attempt.number}"
            self._record(DEBUG, "error_text", f"{where}: {text}", attempt, {"text": text})
        if event.final:
            self._forget(event.call)

    def _done(self, event: Done, attempt: _Attempt) -> None:
        attempt.finish(event.at_s)
        facts = {**attempt.facts, **_of_reply(event.reply), "cost_usd": event.cost_usd}
        self._ended("done", attempt, facts if event.whole else {**facts, "left_early": True})
        self._forget(event.call)

    def _ended(self, name: str, attempt: _Attempt, facts: Dict[str, Any]) -> None:
        if attempt.keep and attempt.body:
            self._body("response_body", attempt, b"".join(attempt.body))
        self._write(INFO, name, attempt, facts)

    def _forget(self, call: int) -> None:
        with self._lock:
            self._calls.pop(call, None)

    # How a record gets out.

    def _shows_bodies(self) -> bool:
        return self.bodies and self.wanted(DEBUG)

    def _body(self, name: str, attempt: _Attempt, body: bytes) -> None:
        try:
            text = _line(body.decode("utf-8"), attempt.secrets)  # hidden before the cut: half a key has no shape
        except UnicodeDecodeError:
            text = f"[{len(body)} bytes that are no text]"
        if len(text) > LONGEST_BODY:
            text = f"{text[:LONGEST_BODY]} ... {len(text) - LONGEST_BODY} characters more"
        side = ">" if name == "request_body" else "<"
        line = f"call {attempt.call}, attempt {attempt.number} {side} {text}"
        self._record(DEBUG, name, line, attempt, {"body": text})

    def _write(self, level: int, name: str, attempt: _Attempt, facts: Dict[str, Any]) -> None:
        known = {fact: value for fact, value in facts.items() if value is not None}
        verb = "sending " if name == "sending" else ""
        line = f"call {attempt.call}, attempt {attempt.number}: {verb}{_words(known, FACTS)}"
        self._record(level, name, line, attempt, known)

    def _record(self, level: int, name: str, line: str, attempt: _Attempt, facts: Dict[str, Any]) -> None:
        assert self._logger is not None  # an attempt is only remembered where there was one
        extra = {"wire_event": name, "call": attempt.call, "attempt": attempt.number, **facts}
        self._logger.log(level, _escaped(line), extra=extra)  # no arguments: logging leaves a "%" in it alone


_TELLERS: Dict[type, Callable[[LogListener, Any, _Attempt], None]] = {
    Received: LogListener._received,
    Chunked: LogListener._chunked,
    Waiting: LogListener._waiting,
    Failed: LogListener._failed,
    Done: LogListener._done,
}


class _Attempt:
    """What is remembered of one attempt. `facts` are fit for a record; `keep`: the body is wanted, too."""

    def __init__(self, event: Sending, secrets: Tuple[str, ...], *, keep: bool) -> None:
        request = event.request
        self.call, self.number = event.call, event.attempt
        self.secrets = (*secrets, *secrets_of(request.url, request.headers, request.body if keep else b""))
        self.keep = keep
        self.body: List[bytes] = []
        self.facts: Dict[str, Any] = {
            "method": request.method,
            "url": _open_url(request.url, self.secrets),
            "model": _word(_model_in(request.body), self.secrets),
        }
        self._sent_s = event.at_s
        self._bytes = 0
        self._events = 0
        self._decoder: Optional[SSEDecoder] = None

    def begin(self, event: Received) -> None:
        headers = event.head.headers
        self.facts["status"] = event.head.status
        self.facts["request_id"] = _word(request_id_from(headers), self.secrets)
        self.facts["head_ms"] = self._ms(event.at_s)
        if "event-stream" in headers.get("content-type", "").lower():
            self._decoder = SSEDecoder()

    def add(self, data: bytes) -> None:
        self._bytes += len(data)
        if self.keep:
            self.body.append(data)
        if self._decoder is not None:
            try:
                self._events += len(self._decoder.feed(data))
            except InvalidResponseError:  # an event over the limit: the call fails with this very error
                self._decoder = None

    def finish(self, at_s: float) -> None:
        if self._decoder is not None:
            self._events += len(self._decoder.close())
            self._decoder = None
            self.facts["events"] = self._events
        if "status" in self.facts:
            self.facts["response_bytes"] = self._bytes
        self.facts["duration_ms"] = self._ms(at_s)

    def _ms(self, at_s: float) -> int:
        return round((at_s - self._sent_s) * 1000)


def own_log(listeners: Iterable[Listener]) -> Optional[LogListener]:
    """The listener of a client that is being made; None where it was given one. Reads RAWCHAT_LOG, and sets the logger
    up where that says so.
    """
    if any(isinstance(one, LogListener) for one in listeners):
        return None
    word = from_environment(VARIABLE)
    if word is None:
        return LogListener()
    if word.lower() not in WISHES:
        import warnings

        # A warning, and no error: what is there to find faults must not be one. It does not quote the value, which in
        # a muddled environment may be the key.
        warnings.warn(f"{VARIABLE} must be {' or '.join(WISHES)}, or unset; it asks for nothing now", stacklevel=6)
        return LogListener()
    level, bodies = WISHES[word.lower()]
    _listen(level)
    return LogListener(bodies=bodies)


_setting_up = threading.Lock()


def _listen(level: int) -> None:
    """Let the logger speak at `level`, to stderr unless the program has a handler for it."""
    import logging

    logger = logging.getLogger(LOGGER)
    with _setting_up:
        if not logger.isEnabledFor(level):
            logger.setLevel(level)
        if not logger.hasHandlers():
            handler = logging.StreamHandler()
            handler.setFormatter(logging.Formatter(FORMAT))
            # Where the program sets up logging later, its own handler would say the same again.
            handler.addFilter(lambda record: not logging.getLogger().handlers)
            logger.addHandler(handler)


# Small functions, each of which knows one thing.

_REASON = ("error", "phase", "error_code", "said")


def _words(facts: Mapping[str, Any], which: Iterable[str]) -> str:
    known = [FACTS[fact].format(**facts) for fact in which if facts.get(fact) is not None]
    return ", ".join(text for text in known if text)


def _of_error(error: Exception, secrets: Iterable[str]) -> Dict[str, Any]:
    """The facts of an error, without the server's sentences. What we say ourselves of a failed connection is shown."""
    facts: Dict[str, Any] = {"error": type(error).__name__, "phase": getattr(error, "phase", "") or None}
    if isinstance(error, APIError):
        facts["error_code"] = _word(error.code, secrets)
        facts["error_type"] = _word(error.type, secrets)
        facts["error_param"] = _word(error.param, secrets)
    in_our_words = isinstance(error, APITimeoutError) or facts["phase"] in ("connect", "send")
    if isinstance(error, APIConnectionError) and in_our_words and not isinstance(error, StreamInterrupted):
        facts["said"] = _line(error.message, secrets)
    return facts


def _of_reply(reply: Any) -> Dict[str, Any]:
    """Token counts and how it ended; the text of a reply is not looked at."""
    usage = reply.get("usage") if isinstance(reply, Mapping) else None
    counts = usage if isinstance(usage, Mapping) else {}
    sent, came = counts.get("prompt_tokens"), counts.get("completion_tokens")
    facts: Dict[str, Any] = {"finish_reason": _word(getattr(reply, "finish_reason", None), ())}
    if isinstance(sent, int):
        facts.update(prompt_tokens=sent, completion_tokens=came if isinstance(came, int) else 0)
    return facts


def _model_in(body: bytes) -> Any:
    """The model that a request names, or None. Ours stands first, which spares reading a body of many pictures."""
    first = re.match(rb'\{"model":"([^"\\]+)"', body)
    if first:
        return first[1].decode("utf-8", "replace")
    try:
        document = json.loads(body) if body[:1] == b"{" else None
    except ValueError:
        return None
    return document.get("model") if isinstance(document, dict) else None


def _word(value: Any, secrets: Iterable[str]) -> Optional[str]:
    """A name or code that came from outside; None for anything longer than a word, for it may be a sentence."""
    text = str(value) if isinstance(value, (str, int)) else ""
    return redact_text(text, secrets) if re.fullmatch(r"[!-~]{1,120}", text) else None


def _open_url(url: str, secrets: Iterable[str]) -> str:
    """The URL with the values of those query parameters alone that are no secret."""
    place, mark, query = redact_text(url, secrets).partition("?")
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    shown = [
        f"{name}={value if name in OPEN_PARAMETERS or value[:5] == '<key:' else '...'}" for name, _, value in pairs
    ]
    return _escaped(place + mark + "&".join(shown))


def _line(text: str, secrets: Iterable[str]) -> str:
    """`text` without keys, on one line."""
    return _escaped(redact_text(text, secrets))


def _escaped(text: str) -> str:
    """Text from outside forges no second line of a log, and commands no terminal."""
    return re.sub("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", lambda found: repr(found[0])[1:-1], text)
