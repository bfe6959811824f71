"""run_tools: the model asks for functions, they are called, it is told what they gave, until it answers in words.

    def get_weather(city: str) -> str: ...
    run = run_tools(client, "What is the weather in Paris?", [get_weather])
    run.text      "It is sunny in Paris."
    run.calls     [ToolCallRecord(name="get_weather", arguments={"city": "Paris"}, result="sunny, 22 C", ...)]

    <- {"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function",
        "function":{"name":"get_weather","arguments":"{\\"city\\":\\"Paris\\"}"}}]}
    -> {"role":"tool","tool_call_id":"call_1","content":"sunny, 22 C"}

What goes wrong with a call is the model's to mend: a name that there is not, arguments that are no JSON or do not fit
the schema, a function that raises; it is told {"error": "..."} and asked again, and the caller finds the exception in
`run.calls`. What goes wrong with a request is the caller's: the error is raised with the transcript so far in its
`.messages`. Pass those, or `run.messages`, to run_tools again, and it goes on there; calls that are still open are made
first. Does not trim what has grown too long.

The two loops, run_tools and run_tools_async, ask; `Rounds` knows all the rest.
"""

from __future__ import annotations

import contextlib
import json
import time
import typing
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from .client import Client
from .protocol.check import decode, require_fit
from .protocol.errors import PayloadError
from .protocol.feature_errors import SchemaMismatch
from .protocol.payload import Messages, build_messages
from .protocol.redact import redact_text
from .protocol.reply import Reply
from .protocol.reply_dialects import json_text, well_formed
from .protocol.reply_words import inner_of
from .protocol.schema import tool_arguments, tool_schema
from .stream import Stream

if typing.TYPE_CHECKING:
    from .aclient import AsyncClient

Function = Callable[..., Any]
# What `functions` may be: functions, pairs of a tool's JSON and what is called, or either by name.
Functions = Union[Function, Iterable[Union[Function, Tuple[Mapping[str, Any], Function]]], Mapping[str, Function]]
OnText = Callable[[str], object]

_LONGEST_ERROR = 2000  # characters of an exception's text that the model is told; some hold a whole page
# A reply with one of these was cut off, perhaps in the middle of a call.
_CUT_OFF = ("length", "content_filter")


class ToolCallRecord(NamedTuple):
    """One call of a function.

    arguments   as the function got them; the model's own text where they could not be read
    result      what the function returned; `content` is the text the model was told
    error       the exception, or None: SchemaMismatch where the function was not called, else what it raised
    round       which reply asked for it, from 1; 0 for calls that the messages came with
    seconds     how long the function took
    """

    id: str
    name: str
    arguments: Any = None
    result: Any = None
    error: Optional[Exception] = None
    content: str = ""
    round: int = 0
    seconds: float = 0.0


class ToolRun(NamedTuple):
    """What came of run_tools.

    messages   the whole transcript, fit to be sent: to go on with, or to add the next question to
    calls      every call in order, those that failed included
    replies    every reply in order
    ended      "answered"; "max_rounds"; "length" or "content_filter" where that cut a call in two
    """

    messages: List[Dict[str, Any]]
    calls: List[ToolCallRecord]
    replies: List[Reply]
    ended: str

    @property
    def finished(self) -> bool:
        """Whether the model has come to its answer."""
        return self.ended == "answered"

    @property
    def reply(self) -> Reply:
        """The last reply."""
        return self.replies[-1]

    @property
    def text(self) -> str:
        """The text of the last reply."""
        return self.reply.text

    @property
    def rounds(self) -> int:
        return len(self.replies)

    @property
    def cost(self) -> Optional[float]:
        """US dollars for all rounds; None where the price of one is unknown."""
        costs = [reply.cost for reply in self.replies if reply.cost is not None]
        return sum(costs) if len(costs) == len(self.replies) else None


def run_tools(
    client: Client,
    messages: Messages,
    functions: Functions,
    *,
    max_rounds: int = 10,
    stream: bool = False,
    on_text: Optional[OnText] = None,
    model: Optional[str] = None,
    strict: Optional[bool] = None,
    parallel: int = 1,
    **parameters: Any,
) -> ToolRun:
    """Ask, call what the model asks for, and ask again with the results, up to `max_rounds` requests.

    functions   a list of functions (see tool_schema), or of pairs (a tool's JSON, what is called), or a dict by name
    stream      the text of every round as it comes, to `on_text`, or printed where that is None
    on_text     gets the text; without `stream`, a whole round's at a time
    strict      as in tool_schema
    parallel    threads for the calls of one reply; they are answered in order all the same
    parameters  go to every request, as in Client.chat; a `tool_choice` that demands a call counts for the first alone

    A text that a function returns is told as it is, anything else as JSON: None is null, dataclasses and pydantic
    models are objects, dates, Decimals, UUIDs and paths are texts. Raises as Client.chat, and PayloadError for what
    cannot be offered or has to be awaited; the exception, KeyboardInterrupt too, has the transcript in `.messages`.
    """
    rounds = Rounds(messages, offer(functions, strict=strict), max_rounds, {"model": model, **parameters})
    pieces = play(rounds, client, stream=stream, parallel=parallel)
    with delivery(rounds, stream, on_text) as write, contextlib.closing(pieces):
        for text in pieces:
            write(text)
    return rounds.result()


async def run_tools_async(
    client: AsyncClient,
    messages: Messages,
    functions: Functions,
    *,
    max_rounds: int = 10,
    stream: bool = False,
    on_text: Optional[OnText] = None,
    model: Optional[str] = None,
    strict: Optional[bool] = None,
    parallel: int = 1,
    **parameters: Any,
) -> ToolRun:
    """run_tools with an AsyncClient. Coroutine functions are awaited, `parallel` at a time; plain ones are called."""
    import asyncio  # not above: the sync loop does without, and its import costs more than all of ours

    rounds = Rounds(messages, offer(functions, strict=strict), max_rounds, {"model": model, **parameters})
    with delivery(rounds, stream, on_text) as write:
        while True:
            records = rounds.pending()
            while records:
                together, records = records[: max(1, parallel)], records[max(1, parallel) :]
                for record in await asyncio.gather(*map(rounds.perform_async, together)):
                    rounds.note(record)
            if rounds.ended:
                return rounds.result()
            if stream:
                async with client.stream(rounds.messages, **rounds.request()) as pieces:
                    async for text in pieces:
                        write(text)
                rounds.take(pieces.reply)
            else:
                rounds.take(await client.chat(rounds.messages, **rounds.request()))
                if rounds.replies[-1].text:
                    write(rounds.replies[-1].text)


# ---- what is offered


class Tool(NamedTuple):
    """`read` makes of the model's text what `function` is called with: a dict for its parameters, or a custom text."""

    name: str
    definition: Mapping[str, Any]
    function: Function
    read: Callable[[str], Any]

    def call(self, arguments: Any) -> Any:
        return self.function(**arguments) if isinstance(arguments, dict) else self.function(arguments)


def offer(functions: Functions, *, strict: Optional[bool] = None) -> Dict[str, Tool]:
    """The tools by name. Raises PayloadError where two have one name, and as tool_schema."""
    if isinstance(functions, Mapping):
        made = [_tool(item, name, strict) for name, item in functions.items()]
    else:
        made = [_tool(item, None, strict) for item in ([functions] if callable(functions) else functions)]
    tools = {tool.name: tool for tool in made}
    if len(tools) < len(made):
        names = [tool.name for tool in made]
        twice = next(name for name in names if names.count(name) > 1)
        raise PayloadError(f"two tools are called {twice}; give a dict of names and functions", path="functions")
    return tools


def _tool(item: Any, name: Optional[str], strict: Optional[bool]) -> Tool:
    if not isinstance(item, tuple):
        definition = tool_schema(item, name=name, strict=strict)
        return Tool(definition["function"]["name"], definition, item, lambda text: tool_arguments(item, text))
    definition, function = item
    inner = inner_of(definition)
    name = inner.get("name")
    if not isinstance(name, str) or not callable(function):
        sample = '({"type": "function", "function": {"name": ..., "parameters": {...}}}, function)'
        raise PayloadError(f"a tool of one's own is a pair {sample}", path="functions")
    schema = {"type": "object", **(inner.get("parameters") or {})}

    def read(text: str) -> Any:
        value = decode(text or "{}", "the arguments are")  # "" is how servers call a function without parameters
        require_fit(value, schema, f"the arguments do not fit {name}")
        return value

    return Tool(name, definition, function, str if definition.get("type") == "custom" else read)


# ---- where it stands


class Rounds:
    """A conversation with tools, and where it stands. Asks nobody: that is for the loop around it.

    Without tools there is one round, and the calls its reply may ask for are left alone.
    """

    def __init__(
        self, messages: Messages, tools: Mapping[str, Tool], max_rounds: int, parameters: Mapping[str, Any]
    ) -> None:
        if max_rounds < 1:
            raise PayloadError(f"max_rounds must be 1 or more, got {max_rounds}", path="max_rounds")
        if tools and "tools" in parameters:
            raise PayloadError("tools= is made of the functions; a ready one is (tool, function)", path="tools")
        self.messages = build_messages(messages)
        self.tools = tools
        self.calls: List[ToolCallRecord] = []
        self.replies: List[Reply] = []
        self.given = len(self.messages)
        self.stream: Optional[Stream] = None  # the one that is being read
        self._max_rounds = max_rounds
        self._parameters = dict(parameters)

    def request(self) -> Dict[str, Any]:
        """What goes with the messages into the next call of `chat` or `stream`."""
        options = dict(self._parameters)
        if self.tools:
            options["tools"] = [tool.definition for tool in self.tools.values()]
        if self.replies:  # "required", sent again and again, would have it call and call, and never answer
            options["tool_choice"] = _relaxed(options.get("tool_choice"))
        return options

    def take(self, reply: Reply) -> None:
        """The reply to the last request."""
        message = reply.message
        ids = set()
        for place, call in enumerate(message.get("tool_calls", ())):
            if not call["id"] or call["id"] in ids:  # llama.cpp and small relays: "", or the same for all
                call["id"] = f"call_{len(self.messages)}_{place}"
            ids.add(call["id"])
        self.messages.append(message)
        self.replies.append(reply)
        self.stream = None

    def pending(self) -> List[ToolCallRecord]:
        """The calls that are to be made: with their arguments checked, or with the error that is to be told."""
        return [self._read(call) for call in _unanswered(self.messages)] if self.tools else []

    def _read(self, call: Mapping[str, Any]) -> ToolCallRecord:
        inner = inner_of(call)
        name, text = str(inner.get("name")), json_text(inner.get("arguments", inner.get("input")))
        record = ToolCallRecord(str(call.get("id")), name, text, round=len(self.replies))
        try:
            if name not in self.tools:
                raise SchemaMismatch(f"there is no tool called {name!r}; there are: {', '.join(self.tools)}")
            if self._cut_off and not text:  # not a call without arguments, but one whose arguments are missing
                raise SchemaMismatch(f"the arguments are missing: the reply was cut off ({self._cut_off})")
            return record._replace(arguments=self.tools[name].read(text))
        except SchemaMismatch as error:
            return _failed(record, error)

    @property
    def _cut_off(self) -> str:
        reason = self.replies[-1].finish_reason if self.replies else None
        return reason if reason in _CUT_OFF else ""

    def perform(self, record: ToolCallRecord) -> ToolCallRecord:
        """Call the function, unless the record says already why not. What it raises is the model's to hear of."""
        started_s = time.perf_counter()
        value = None
        try:
            if record.error is None:
                value = self.tools[record.name].call(record.arguments)
                record = record if hasattr(value, "__await__") else _answered(record, value)
        except Exception as error:
            record = _failed(record, error)
        if hasattr(value, "__await__"):
            getattr(value, "close", bool)()  # else Python warns of a coroutine that was never awaited
            text = f"{record.name} has to be awaited: give a plain function, or use run_tools_async and an AsyncClient"
            raise PayloadError(text, path=record.name)
        return record._replace(seconds=time.perf_counter() - started_s)

    async def perform_async(self, record: ToolCallRecord) -> ToolCallRecord:
        """As perform, and awaits what asks for it."""
        started_s = time.perf_counter()
        try:
            if record.error is None:
                value = self.tools[record.name].call(record.arguments)
                record = _answered(record, await value if hasattr(value, "__await__") else value)
        except Exception as error:
            record = _failed(record, error)
        return record._replace(seconds=time.perf_counter() - started_s)

    @property
    def reply(self) -> Optional[Reply]:
        """The last reply, or as much of it as has come."""
        if self.stream is not None:
            return self.stream.reply
        return self.replies[-1] if self.replies else None

    def note(self, record: ToolCallRecord) -> None:
        """A call that was made, or could not be."""
        self.calls.append(record)
        self.messages.append({"role": "tool", "tool_call_id": record.id, "content": record.content})

    @property
    def ended(self) -> str:
        """Why nothing is to be asked any more, see ToolRun; "" while something is."""
        if not self.replies:
            return ""
        if not self.tools or not self.replies[-1].tool_calls:
            return "answered"
        if self._cut_off and isinstance(self.calls[-1].error, SchemaMismatch):
            return self._cut_off  # the next reply would meet the same limit, and be paid for
        return "max_rounds" if len(self.replies) >= self._max_rounds else ""

    def result(self) -> ToolRun:
        return ToolRun(self.messages, self.calls, self.replies, self.ended)


def _unanswered(messages: Sequence[Mapping[str, Any]]) -> List[Mapping[str, Any]]:
    """The calls of the last assistant message that no tool message after it answers."""
    answered = set()
    for message in reversed(messages):
        if message.get("role") != "tool":
            return [call for call in message.get("tool_calls") or () if call.get("id") not in answered]
        answered.add(message.get("tool_call_id"))
    return []


def _relaxed(choice: Any) -> Any:
    """A `tool_choice` that demands no call; None stands for "auto"."""
    if isinstance(choice, Mapping) and isinstance(choice.get("allowed_tools"), Mapping):
        return {**choice, "allowed_tools": {**choice["allowed_tools"], "mode": "auto"}}
    return choice if choice == "none" else None


# ---- what the loops are made of


Pieces = typing.Generator[str, None, None]


def play(rounds: Rounds, client: Client, *, stream: bool = False, parallel: int = 1) -> Pieces:
    """Asks and calls until `rounds.ended`; gives the text, piece by piece where it is streamed."""
    while True:
        for record in _performed(rounds, parallel):
            rounds.note(record)
        if rounds.ended:
            return
        if stream:
            rounds.stream = client.stream(rounds.messages, **rounds.request())
            with rounds.stream as pieces:
                yield from pieces
            rounds.take(pieces.reply)
        else:
            rounds.take(client.chat(rounds.messages, **rounds.request()))
            if rounds.replies[-1].text:
                yield rounds.replies[-1].text


def _performed(rounds: Rounds, parallel: int) -> Iterator[ToolCallRecord]:
    """The calls made, in order."""
    records = rounds.pending()
    if parallel < 2 or len(records) < 2:
        return map(rounds.perform, records)
    from concurrent.futures import ThreadPoolExecutor  # its import costs as much as that of all of ours

    with ThreadPoolExecutor(parallel) as pool:
        return pool.map(rounds.perform, records)


@contextlib.contextmanager
def delivery(rounds: Rounds, stream: bool, on_text: Optional[OnText]) -> Iterator[OnText]:
    """What takes the text: `on_text`, or where it is streamed a print, each round on lines of its own. An exception
    gets the transcript so far.
    """
    last, round_before = "\n", 0

    def write(text: str) -> None:
        nonlocal last, round_before
        if stream and text:
            separator = "\n" if len(rounds.replies) > round_before and last != "\n" else ""
            last, round_before = text[-1], len(rounds.replies)
            print(separator + text, end="", flush=True)

    try:
        yield on_text or write
    except BaseException as error:
        vars(error)["messages"] = rounds.messages
        raise
    finally:
        if last != "\n":
            print()


# ---- what the model is told


def _answered(record: ToolCallRecord, value: Any) -> ToolCallRecord:
    return record._replace(result=value, content=result_text(value))


def _failed(record: ToolCallRecord, error: Exception) -> ToolCallRecord:
    """No key goes out with the text of an exception."""
    text = error.message if isinstance(error, SchemaMismatch) else f"{type(error).__name__}: {error}"
    content = json.dumps({"error": redact_text(well_formed(text))[:_LONGEST_ERROR]}, ensure_ascii=False)
    return record._replace(error=error, content=content)


def result_text(value: Any) -> str:
    """What a function returned, as text for the model. Raises TypeError for what JSON has no word for."""
    if isinstance(value, str):
        return well_formed(str.__str__(value))  # the text of an Enum of texts, not its name
    return well_formed(json.dumps(value, ensure_ascii=False, default=_as_json))


# What a class has, and what becomes of its instances; the first row that fits.
_AS_JSON: Tuple[Tuple[str, Callable[[Any], Any]], ...] = (
    ("model_dump", lambda value: value.model_dump(mode="json")),
    ("__dataclass_fields__", lambda value: {name: getattr(value, name) for name in value.__dataclass_fields__}),
    ("__members__", lambda value: value.value),
    ("isoformat", lambda value: value.isoformat()),
    ("tolist", lambda value: value.tolist()),  # numpy
    ("as_tuple", str),  # Decimal: as a number it would lose digits
    ("hex", str),  # UUID
    ("__fspath__", str),
    ("keys", dict),
    ("isdisjoint", list),  # sets
)


def _as_json(value: Any) -> Any:
    kind = type(value)
    for name, change in _AS_JSON:
        if hasattr(kind, name) and not isinstance(value, (bytes, bytearray, memoryview)):
            return change(value)
    raise TypeError(
        f"it returned a {kind.__name__}, which is no JSON; return a text, or numbers, lists and dicts of them"
    )
