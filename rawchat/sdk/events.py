"""The events of `chat.completions.stream`, made of the chunks as they come.

    chunk                                      every chunk, and the completion so far as `.snapshot`
    content.delta, content.done                text; with a type asked for, `.parsed` is what is complete of it
    refusal.delta, refusal.done
    tool_calls.function.arguments.delta, tool_calls.function.arguments.done
    logprobs.content.delta, logprobs.content.done, logprobs.refusal.delta, logprobs.refusal.done

In this order within a chunk, and per choice; each has `.type`, and `.choice_index`, which the SDK lacks. A text is done
when its first tool call starts or its choice has finished; a tool call when the next one starts and its arguments are
whole, or when its choice has finished: calls that come interleaved are told once, with all their arguments. Snapshots
and partial values are made when they are looked at, so that streams cost what their readers need. What chunks mean is
ChunkAssembler's matter.
"""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, Iterator, List, Optional

from ..protocol.chunks import ChunkAssembler
from ..protocol.reply import Reply, real_finish_reason
from ..protocol.reply_dialects import index_of, text_of
from ..protocol.reply_words import inner_of
from .objects import BaseModel, omit, plain
from .parsing import Expected, arguments_of, content_of, expect, parsed_completion, partial_json, refuse_cut_off
from .types.chat import ChatCompletionChunk, ChatCompletionTokenLogprob, ParsedChatCompletion


class StreamEvent(BaseModel):
    type: str
    choice_index: int
    _later: Dict[str, Callable[[], Any]]

    @classmethod
    def made(cls, later: Dict[str, Callable[[], Any]], **values: Any) -> StreamEvent:
        """An event; what `later` names is made when it is first looked at."""
        event = cls.of(values)
        vars(event)["_later"] = later
        return event

    def __getattr__(self, name: str) -> Any:
        later = self.__dict__.get("_later") or {}
        if name in later:
            setattr(self, name, later[name]())
            return self.__dict__[name]
        return super().__getattr__(name)


class ChunkEvent(StreamEvent):
    chunk: ChatCompletionChunk
    snapshot: ParsedChatCompletion


class ContentDeltaEvent(StreamEvent):
    delta: str
    snapshot: str
    parsed: Any


class ContentDoneEvent(StreamEvent):
    content: str
    parsed: Any


class RefusalDeltaEvent(StreamEvent):
    delta: str
    snapshot: str


class RefusalDoneEvent(StreamEvent):
    refusal: str


class FunctionToolCallArgumentsDeltaEvent(StreamEvent):
    name: str
    index: int
    arguments: str
    arguments_delta: str
    parsed_arguments: Any


class FunctionToolCallArgumentsDoneEvent(StreamEvent):
    name: str
    index: int
    arguments: str
    parsed_arguments: Any


class LogprobsContentDeltaEvent(StreamEvent):
    content: List[ChatCompletionTokenLogprob]
    snapshot: List[ChatCompletionTokenLogprob]


class LogprobsContentDoneEvent(StreamEvent):
    content: List[ChatCompletionTokenLogprob]


class LogprobsRefusalDeltaEvent(StreamEvent):
    refusal: List[ChatCompletionTokenLogprob]
    snapshot: List[ChatCompletionTokenLogprob]


class LogprobsRefusalDoneEvent(StreamEvent):
    refusal: List[ChatCompletionTokenLogprob]


class ChatCompletionStreamState:
    """Takes chunks, gives events, and assembles the completion: `handle_chunk(chunk)`, then `get_final_completion()`.

    Also for chunks of one's own: from `create(..., stream=True)`, from a file.
    """

    def __init__(self, *, input_tools: Any = omit, response_format: Any = omit) -> None:
        self.expected = (
            response_format if isinstance(response_format, Expected) else expect(response_format, input_tools)
        )
        self.assembler = ChunkAssembler()
        self._choices: Dict[int, _ChoiceEvents] = {}

    def handle_chunk(self, chunk: ChatCompletionChunk) -> List[StreamEvent]:
        """The events that a chunk brings."""
        raw = chunk._raw
        document = raw if all(isinstance(choice, dict) for choice in raw.get("choices") or ()) else plain(chunk)
        self.assembler.add(document)
        later: Dict[str, Callable[[], Any]] = {"snapshot": lambda: self.current_completion_snapshot}
        events = [ChunkEvent.made(later, type="chunk", chunk=chunk)]
        for place, choice in enumerate(document.get("choices") or []):
            if isinstance(choice, dict):
                events += self._of(index_of(choice, place)).take(choice)
        return events

    def finish(self) -> List[StreamEvent]:
        """What is still owed at the end of a stream that never gave a finish_reason."""
        return [event for index in sorted(self._choices) for event in self._choices[index].end()]

    @property
    def current_completion_snapshot(self) -> ParsedChatCompletion:
        """The completion so far; `parsed` and `parsed_arguments` hold what is complete of the JSON."""
        snapshot = parsed_completion(self.assembler.reply(), self.expected, whole=False)
        for choice in snapshot.choices:
            if self.expected.format is not None:
                choice.message.parsed = partial_json(choice.message.content or "")
            for call in choice.message.tool_calls or []:
                if call.type == "function" and call.function.name in self.expected.tools:
                    call.function.parsed_arguments = partial_json(call.function.arguments)
        return snapshot

    def get_final_completion(self, reply: Optional[Reply] = None) -> ParsedChatCompletion:
        """The whole completion, parsed. Raises as `chat.completions.parse` does."""
        reply = self.assembler.reply() if reply is None else reply
        made = parsed_completion(reply, self.expected)
        vars(made)["_request_id"] = reply.request_id
        return made

    def _of(self, index: int) -> _ChoiceEvents:
        if index not in self._choices:
            self._choices[index] = _ChoiceEvents(index, self)
        return self._choices[index]


class _Text:
    """A text in pieces; `so_far()` gives a function for the text up to now, to be called whenever."""

    def __init__(self) -> None:
        self.pieces: List[str] = []
        self.is_done = False

    def so_far(self) -> Callable[[], str]:
        count = len(self.pieces)
        return lambda: "".join(self.pieces[:count])


class _Tool:
    def __init__(self, index: int) -> None:
        self.index = index
        self.name = ""
        self.arguments = ""
        self.is_done = False

    def is_whole(self) -> bool:
        try:
            json.loads(self.arguments)
        except ValueError:
            return False
        return True


_LOGPROBS = {
    "content": (LogprobsContentDeltaEvent, LogprobsContentDoneEvent),
    "refusal": (LogprobsRefusalDeltaEvent, LogprobsRefusalDoneEvent),
}


class _ChoiceEvents:
    """What was told of one choice."""

    def __init__(self, index: int, state: ChatCompletionStreamState) -> None:
        self.index = index
        self.state = state
        self.expected = state.expected
        self.content = _Text()
        self.refusal = _Text()
        self.tools: Dict[str, _Tool] = {}
        self.logprobs: Dict[str, List[Any]] = {}
        self.logprobs_done = False

    def take(self, choice: Dict[str, Any]) -> List[StreamEvent]:
        """The events of this choice's part of a chunk."""
        delta = choice.get("delta") or {}
        events = [*self._content(delta), *self._refusal(delta)]
        calls = self._tool_calls() if delta.get("tool_calls") else []
        finished = real_finish_reason(choice.get("finish_reason")) is not None
        events += [event for tool, grown in calls for event in self._tool_delta(tool, grown)]
        events += self._logprob_deltas(choice.get("logprobs"))
        if finished:
            refuse_cut_off(choice["finish_reason"], self.expected, self.state.assembler.reply())
            return events + list(self.end())
        if calls:
            events += self._text_done()
            current = calls[-1][0]
            for tool in self.tools.values():
                if tool is not current and tool.is_whole():
                    events += self._tool_done(tool)
        return events

    def end(self) -> Iterator[StreamEvent]:
        """All that is not told yet."""
        yield from self._text_done()
        for tool in self.tools.values():
            yield from self._tool_done(tool)

    def _made(self, kind: Any, type_: str, later: Optional[Dict[str, Callable[[], Any]]] = None, **values: Any) -> Any:
        return kind.made(later or {}, type=type_, choice_index=self.index, **values)

    def _content(self, delta: Dict[str, Any]) -> Iterator[StreamEvent]:
        if delta.get("content") is None:
            return
        text = text_of(delta["content"])
        self.content.pieces.append(text)
        so_far = self.content.so_far()
        parsed = (lambda: partial_json(so_far())) if self.expected.format is not None else (lambda: None)
        yield self._made(ContentDeltaEvent, "content.delta", {"snapshot": so_far, "parsed": parsed}, delta=text)

    def _refusal(self, delta: Dict[str, Any]) -> Iterator[StreamEvent]:
        if isinstance(delta.get("refusal"), str):
            self.refusal.pieces.append(delta["refusal"])
            later = {"snapshot": self.refusal.so_far()}
            yield self._made(RefusalDeltaEvent, "refusal.delta", later, delta=delta["refusal"])

    def _tool_calls(self) -> List[Any]:
        """(tool, the arguments it has gained) of the calls that this chunk began or continued.

        Read off the assembled calls, for which fragment belongs to which call is the assembler's to say.
        """
        reply = self.state.assembler.reply()
        choice = next(item for item in reply["choices"] if item["index"] == self.index)
        changed = []
        for place, call in enumerate(choice["message"].get("tool_calls") or []):
            inner = inner_of(call)
            key = call.get("id") or f"at {place}"
            tool = self.tools.get(key)
            arguments = inner.get("arguments")
            if not isinstance(arguments, str) or (tool is not None and tool.arguments == arguments):
                continue  # a custom tool, of which the SDK tells nothing; or a call that this chunk left as it was
            if tool is None:
                tool = self.tools[key] = _Tool(place)
            tool.name = str(inner.get("name"))
            before, tool.arguments = tool.arguments, arguments
            changed.append((tool, arguments[len(before) :] if arguments.startswith(before) else arguments))
        return changed

    def _tool_delta(self, tool: _Tool, grown: str) -> Iterator[StreamEvent]:
        arguments = tool.arguments
        strict = tool.name in self.expected.tools
        parsed = (lambda: partial_json(arguments)) if strict else (lambda: None)
        yield self._made(
            FunctionToolCallArgumentsDeltaEvent,
            "tool_calls.function.arguments.delta",
            {"parsed_arguments": parsed},
            name=tool.name,
            index=tool.index,
            arguments=arguments,
            arguments_delta=grown,
        )

    def _tool_done(self, tool: _Tool) -> Iterator[StreamEvent]:
        if tool.is_done:
            return
        tool.is_done = True
        reply = self.state.assembler.reply()
        yield self._made(
            FunctionToolCallArgumentsDoneEvent,
            "tool_calls.function.arguments.done",
            name=tool.name,
            index=tool.index,
            arguments=tool.arguments,
            parsed_arguments=arguments_of(tool.name, tool.arguments, self.expected, reply),
        )

    def _logprob_deltas(self, logprobs: Any) -> Iterator[StreamEvent]:
        for name, (kind, _) in _LOGPROBS.items():
            new = logprobs.get(name) if isinstance(logprobs, dict) else None
            if new:
                held = self.logprobs[name] = self.logprobs.get(name, []) + list(new)
                yield self._made(kind, f"logprobs.{name}.delta", {}, snapshot=held, **{name: new})

    def _text_done(self) -> Iterator[StreamEvent]:
        if any(self.content.pieces) and not self.content.is_done:
            self.content.is_done = True
            content = self.content.so_far()()
            message = {"content": content, "refusal": "".join(self.refusal.pieces)}
            parsed = content_of(message, self.expected, self.state.assembler.reply())
            yield self._made(ContentDoneEvent, "content.done", content=content, parsed=parsed)
        if self.refusal.pieces and not self.refusal.is_done:
            self.refusal.is_done = True
            yield self._made(RefusalDoneEvent, "refusal.done", refusal="".join(self.refusal.pieces))
        if self.logprobs and not self.logprobs_done:
            self.logprobs_done = True
            for name, held in self.logprobs.items():
                yield self._made(_LOGPROBS[name][1], f"logprobs.{name}.done", {}, **{name: held})
