"""ChatSession: a conversation that remembers, as far back as it was told to.

    session = ChatSession(system_prompt="You are a patient tutor.", max_history=10)
    session.send("What is a variable?")                  the answer's text
    session.send("And a constant?", stream=True)         ... printed as it comes
    print(session.cost_report())

    {"format": "chat session", "version": 1, "model": "gpt-4o-mini", "system_prompt": "You are a patient tutor.",
     "messages": [{"role": "user", "content": "What is a variable?"}, ...]}          what `save` writes

A question that fails leaves the history as it was; it waits in `.failed`, and `retry()` sends it again. An answer that
the caller stops (Ctrl-C, or leaving the loop of `stream`) counts as far as it came. For one thread at a time.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
from typing import Any, Dict, Iterable, List, Mapping, Optional, Union

from .client import Client
from .protocol.errors import PayloadError
from .protocol.history import last_messages, trim_messages
from .protocol.payload import build_messages
from .protocol.reply import Reply
from .protocol.tracker import CostTracker
from .tools import Functions, OnText, Pieces, Rounds, ToolCallRecord, delivery, offer, play

_FORMAT = "chat session"
_VERSION = 1
# A question: a text, or a list of content parts ({"type": "image_url", ...}).
Content = Union[str, Iterable[Mapping[str, Any]]]


class ChatSession:
    """A conversation with one model.

    client             shared with others, or None: one of its own from the environment, closed by `close()` or `with`
    system_prompt      the system message, which stays first whatever else is forgotten; may be set at any time
    model              may be set at any time; None: the client's
    max_history        how many messages are kept besides it, None for all; a tool call stays with its answers, which
                       may make it fewer, and what is sent begins with a question
    max_prompt_tokens  the oldest are not sent where all would be more than this, by estimate; tools not counted
    cost_tracker       None: the client's, or else one of its own
    tools              functions the model may call, see run_tools; at most `max_rounds` requests for one question
    parameters         go to every request, as in Client.chat

    reply              the last Reply, which may be incomplete; None where nothing came
    calls              the calls of functions that the last question led to
    failed             the question that has no answer yet, or None
    """

    def __init__(
        self,
        client: Optional[Client] = None,
        *,
        system_prompt: Optional[str] = None,
        model: Optional[str] = None,
        max_history: Optional[int] = 10,
        max_prompt_tokens: Optional[int] = None,
        cost_tracker: Optional[CostTracker] = None,
        tools: Functions = (),
        max_rounds: int = 10,
        **parameters: Any,
    ) -> None:
        if client is not None and not isinstance(client, Client):
            raise PayloadError(f"client must be a Client or None, got {type(client).__name__}", path="client")
        if max_history is not None and (not isinstance(max_history, int) or max_history < 1):
            raise PayloadError(f"max_history must be 1 or more, or None, got {max_history!r}", path="max_history")
        self._owns_client = client is None
        tracker = cost_tracker or (client.cost_tracker if client is not None else None) or CostTracker()
        self.client = Client(cost_tracker=tracker) if client is None else client.with_options(cost_tracker=tracker)
        self.cost_tracker = tracker
        self.system_prompt = system_prompt
        self.max_history = max_history
        self.max_prompt_tokens = max_prompt_tokens
        self.max_rounds = max_rounds
        self.parameters = parameters
        self.reply: Optional[Reply] = None
        self.calls: List[ToolCallRecord] = []
        self.failed: Optional[Content] = None
        self._how_failed: Dict[str, Any] = {}
        self._model = model
        self._tools = offer(tools)
        self._history: List[Dict[str, Any]] = []

    def __repr__(self) -> str:
        return f"ChatSession({self.model!r}, {len(self._history)} messages, ${self.total_cost:.6f})"

    def __enter__(self) -> ChatSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections of a client of its own."""
        if self._owns_client:
            self.client.close()

    @property
    def model(self) -> str:
        return self._model or self.client.model

    @model.setter
    def model(self, name: Optional[str]) -> None:
        self._model = name

    @property
    def messages(self) -> List[Dict[str, Any]]:
        """The system message and the history: a copy."""
        return self._with_system(copy.deepcopy(self._history))

    @property
    def total_cost(self) -> float:
        """US dollars, as the tracker has them: with the other calls of a tracker that is shared."""
        return self.cost_tracker.total_cost

    def cost_report(self, *, per_model: bool = False) -> str:
        """Calls, tokens and dollars as a few lines of text."""
        return self.cost_tracker.report(per_model=per_model)

    # Asking.

    def send(self, content: Content, stream: bool = False, on_text: Optional[OnText] = None, **parameters: Any) -> str:
        """Ask, and give the text of the answer.

        With `stream` the text is printed as it comes, or goes to `on_text`. `parameters` count for this question alone
        and win over the session's. "" where the model said nothing (see `.reply`): then the question is in `.failed`.
        Raises as Client.chat; a stream that breaks off has what came in the error's `.reply`.
        """
        rounds = self._begin(content, parameters)
        self._how_failed.update(stream=stream, on_text=on_text)
        pieces = self._pieces(rounds, stream)
        with delivery(rounds, stream, on_text) as write, contextlib.closing(pieces):
            for text in pieces:
                write(text)
        return rounds.replies[-1].text

    def stream(self, content: Content, **parameters: Any) -> Pieces:
        """Ask, and give the text of the answer as it comes: `for text in session.stream("..."):`. As `send` else."""
        return self._pieces(self._begin(content, parameters), True)

    def retry(self, **changes: Any) -> str:
        """Send the question that failed again, as it was sent, but for the `changes`: any arguments of `send`."""
        if self.failed is None:
            raise PayloadError("there is no question that failed")
        return self.send(self.failed, **{**self._how_failed, **changes})

    def undo(self) -> Optional[Content]:
        """Forget the last question that was answered, and its answer. Gives the question, or None if there is none."""
        asked = [place for place, message in enumerate(self._history) if message.get("role") == "user"]
        if not asked:
            return None
        question: Content = self._history[asked[-1]].get("content") or ""
        del self._history[asked[-1] :]
        return question

    def _begin(self, content: Content, parameters: Mapping[str, Any]) -> Rounds:
        self.reply, self.calls = None, []
        self.failed, self._how_failed = content, dict(parameters)
        chosen = {"model": self.model, **self.parameters, **parameters}
        question = {"role": "user", "content": content if isinstance(content, str) else list(content)}
        kept = self._last([*self._history, question])
        # Chat templates of several open models refuse a conversation that begins with an answer.
        first = next(place for place, message in enumerate(kept) if message.get("role") == "user")
        asked = self._with_system(kept[first:])
        if self.max_prompt_tokens is not None:
            asked = trim_messages(asked, self.max_prompt_tokens, model=chosen["model"] or self.model)
        return Rounds(asked, self._tools, self.max_rounds, chosen)

    def _pieces(self, rounds: Rounds, stream: bool) -> Pieces:
        try:
            yield from play(rounds, self.client, stream=stream)
        except (GeneratorExit, KeyboardInterrupt):
            said = rounds.stream.text if rounds.stream is not None else ""
            if said:
                self._remember(rounds, {"role": "assistant", "content": said})
            raise
        finally:
            self.reply, self.calls = rounds.reply, rounds.calls
        answer = rounds.messages.pop()
        if answer.get("role") == "assistant" and answer.get("tool_calls"):  # nobody here to call them
            answer = {"role": "assistant", "content": rounds.replies[-1].text}
        if rounds.calls or answer.get("content") or answer.get("refusal"):
            self._remember(rounds, answer)

    def _remember(self, rounds: Rounds, answer: Dict[str, Any]) -> None:
        """The question, the calls it led to, and the answer."""
        self._history = self._last([*self._history, *rounds.messages[rounds.given - 1 :], answer])
        self.failed = None

    def _last(self, messages: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
        return messages if self.max_history is None else last_messages(messages, self.max_history)

    def _with_system(self, messages: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
        return [{"role": "system", "content": self.system_prompt}, *messages] if self.system_prompt else messages

    # On disk.

    def save(self, path: Union[str, os.PathLike[str]]) -> None:
        """Write the conversation to a file of JSON: whole or, if that fails, not at all. Raises OSError.

        Neither the client nor the session's parameters are in it: they may hold a key.
        """
        about = {"format": _FORMAT, "version": _VERSION, "model": self.model, "system_prompt": self.system_prompt}
        text = json.dumps({**about, "messages": self._history}, ensure_ascii=False, indent=1) + "\n"
        path = os.path.realpath(path)  # a link stays one
        unfinished = f"{path}.{os.getpid()}.tmp"
        try:
            with open(unfinished, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(unfinished, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.remove(unfinished)
            raise

    def load(self, path: Union[str, os.PathLike[str]]) -> None:
        """Go on with a conversation that was saved: its messages, system prompt and model in place of these.

        Raises OSError, and PayloadError for a file that holds none; then nothing has changed.
        """
        saved = read_saved(path)
        self._history, self.system_prompt, self._model = saved["messages"], saved["system_prompt"], saved["model"]
        self.failed, self.reply, self.calls = None, None, []


def read_saved(path: Union[str, os.PathLike[str]]) -> Dict[str, Any]:
    """What `save` wrote, checked. Raises OSError, and PayloadError for a file that it did not write."""
    name = os.fspath(path)
    with open(path, encoding="utf-8") as file:
        try:
            saved = json.load(file)
        except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
            raise PayloadError(f"{name} is no saved conversation: {error}") from error
    if not isinstance(saved, dict) or saved.get("format") != _FORMAT:
        raise PayloadError(f'{name} is no saved conversation: it has no "format": "{_FORMAT}"')
    if saved.get("version") != _VERSION:
        raise PayloadError(f"{name} is of version {saved.get('version')!r}, and only version {_VERSION} is known here")
    for field in ("model", "system_prompt"):
        if not isinstance(saved.setdefault(field, None), (str, type(None))):
            raise PayloadError(f"{field} in {name} must be a text, got {type(saved[field]).__name__}", path=field)
    saved["messages"] = build_messages(saved.get("messages", False), path=f"messages in {name}")
    return saved
