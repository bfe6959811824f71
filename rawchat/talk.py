"""A question and its answer on a terminal or a pipe: the text as it comes, then one line of tokens, cost and time.

    > What is a token?                                                         a conversation's prompt
    A token is a piece of text that the model reads and writes as one ...      stdout
    gpt-4o-mini  12 in + 30 out tokens  $0.000020  0.8 s  stop                 stderr

A conversation is the same over and over, with what was said before sent along. Knows nothing of arguments, environment
or exit codes: `cli.py` hands it a client.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from typing import Any, Callable, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, TextIO

from .client import Client
from .lab.terminal import columns_of, is_terminal, printable, terminal_columns, write_line
from .lab.trace import causes_of
from .protocol.errors import APIError, RawChatError
from .protocol.redact import redact_text
from .protocol.reply import Reply


def say(text: str) -> None:
    """A line to stderr: about the answer, never the answer itself."""
    for line in text.split("\n"):
        write_line(sys.stderr, printable(line) if is_terminal(sys.stderr) else line)


def tell_error(error: BaseException, *, verbose: bool = False, secrets: Iterable[str] = ()) -> None:
    """`rawchat: what happened`, the hint on a line of its own, and, verbose, the causes that no trace has told."""
    say(redact_text(f"rawchat: {error}", secrets))
    for cause in causes_of(error) if verbose and not isinstance(error, APIError) else ():
        say(redact_text(f"  {cause}", secrets))


class Answer(NamedTuple):
    """What came of one question. `reply` is None where nothing came; `stopped`: Ctrl-C ended it."""

    reply: Optional[Reply]
    stopped: bool


class Talk:
    """The messages so far, and the way to add a question and its answer.

    system      the system message, or None
    parameters  go into each request's body as they are
    whole       ask for the whole answer at once; as_json: likewise, and print its JSON
    traced      a trace runs along on stderr; where that is the same place as stdout, the text waits for its end
    """

    def __init__(
        self,
        client: Client,
        *,
        system: Optional[str] = None,
        parameters: Optional[Mapping[str, Any]] = None,
        whole: bool = False,
        as_json: bool = False,
        traced: bool = False,
    ) -> None:
        self.client = client
        self.traced = traced
        self.parameters = dict(parameters or {})
        self.whole = whole or as_json
        self.as_json = as_json
        self.messages: List[Dict[str, Any]] = []
        if system:
            self.messages.append({"role": "system", "content": system})

    def ask(self, question: str) -> Answer:
        """Prints the answer as it comes, then the bill. A question that failed leaves the messages as they were."""
        asked = [*self.messages, {"role": "user", "content": question}]
        started_s = time.monotonic()
        printed = Printed(sys.stdout, held=self.traced and same_place(sys.stdout, sys.stderr))
        try:
            answer = self._whole(asked, printed) if self.whole else self._streamed(asked, printed)
        finally:
            printed.end_line()
        if answer.reply is not None and answer.reply.text:
            self.messages = [*asked, {"role": "assistant", "content": answer.reply.text}]
        say_fields(bill(answer, self.client.model, time.monotonic() - started_s))
        return answer

    def _whole(self, messages: List[Dict[str, Any]], printed: Printed) -> Answer:
        try:
            reply = self.client.chat(messages, extra_body=self.parameters)
        except KeyboardInterrupt:
            return Answer(None, stopped=True)
        as_json = json.dumps(reply, ensure_ascii=False, indent=2) if self.as_json else ""
        printed.write(as_json or reply.text or beside_text(reply))
        return Answer(reply, stopped=False)

    def _streamed(self, messages: List[Dict[str, Any]], printed: Printed) -> Answer:
        stream = None
        try:
            with self.client.stream(messages, extra_body=self.parameters) as stream:
                for text in stream:
                    printed.write(text)
        except KeyboardInterrupt:
            return Answer(stream.reply if stream is not None else None, stopped=True)
        if not stream.reply.text:
            printed.write(beside_text(stream.reply))
        return Answer(stream.reply, stopped=False)


class Printed:
    """Text on its way to stdout, at once. A terminal gets no character that would command it; a pipe gets every one.

    `held`: nothing is printed before the line ends, so that a trace in the same place keeps its lines whole.
    """

    def __init__(self, out: TextIO, *, held: bool = False) -> None:
        self.out = out
        self.held = held
        self._last = "\n"
        self._waiting: List[str] = []
        self._to_terminal = is_terminal(out)

    def write(self, text: str) -> None:
        if self._to_terminal:
            text = printable(text.replace("\r", ""))
        if self.held:
            self._waiting.append(text)
        else:
            self._print(text)

    def end_line(self) -> None:
        self._print("".join(self._waiting))
        self._waiting.clear()
        if self._last != "\n":
            self._print("\n")

    def _print(self, text: str) -> None:
        if text:
            self._last = text[-1]  # before the write: Ctrl-C may strike right after it
            self.out.write(text)
            self.out.flush()


def same_place(one: Any, other: Any) -> bool:
    """Whether two streams end up on the same terminal or in the same file."""
    try:
        return os.path.sameopenfile(one.fileno(), other.fileno())
    except (OSError, ValueError, AttributeError):
        return False


def beside_text(reply: Reply) -> str:
    """What an answer without text has to say: a refusal, or the calls of tools that it asks for, one a line."""
    calls = [json.dumps(call, ensure_ascii=False) for call in reply.tool_calls or ()]
    return reply.refusal or "\n".join(calls)


def bill(answer: Answer, model: str, elapsed_s: float) -> List[str]:
    """The fields of the last line: model, tokens, cost, time, attempts if more than one, and how it ended."""
    reply = answer.reply
    answered = str(reply.get("model") or model) if reply is not None else model
    # The date of a snapshot says little and takes much: "gpt-4o-mini-2024-07-18" is what gpt-4o-mini means.
    fields = [model if answered.startswith(f"{model}-20") else answered]
    fields += [] if reply is None else [tokens(reply.get("usage")), price_of(reply)]
    fields.append(f"{elapsed_s:.1f} s")
    if reply is not None and reply.attempts > 1:
        fields.append(f"{reply.attempts} attempts")
    if reply is not None and len(reply.get("choices") or ()) > 1:
        fields.append(f"choice 1 of {len(reply['choices'])} (--json shows all)")
    ended = "stopped by Ctrl-C" if answer.stopped else reply.finish_reason if reply is not None else ""
    return [field for field in [*fields, ended or "no finish_reason"] if field]


def tokens(usage: Optional[Mapping[str, Any]]) -> str:
    """`12 in (8 cached) + 30 out (20 reasoning) tokens`."""
    if not usage:
        return "tokens not stated"
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
    reasoning = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens")
    sent = f"{usage.get('prompt_tokens') or 0:,} in" + (f" ({cached:,} cached)" if cached else "")
    came = f"{usage.get('completion_tokens') or 0:,} out" + (f" ({reasoning:,} reasoning)" if reasoning else "")
    return f"{sent} + {came} tokens"


def price_of(reply: Reply) -> str:
    if not reply.get("usage"):
        return ""
    return "price unknown" if reply.cost is None else f"${reply.cost:.6f}"


def say_fields(fields: Sequence[str]) -> None:
    """Fields two spaces apart, on as many lines as the terminal's width asks for."""
    width = terminal_columns(sys.stderr) if is_terminal(sys.stderr) else sys.maxsize
    line = ""
    for field in fields:
        if line and columns_of(line) + 2 + columns_of(field) > width:
            say(line)
            line = ""
        line += ("  " if line else "") + field
    say(line)


def converse(talk: Talk, *, verbose: bool = False, secrets: Sequence[str] = ()) -> None:
    """Question and answer until Ctrl-D. An answer that fails or is stopped does not end the conversation."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 - line editing and history, where Python has it (not on Windows)
    say(f"{talk.client.model} at {talk.client.base_url}")
    say("/help lists the commands; Ctrl-C stops an answer, Ctrl-D ends.")
    while True:
        try:
            question = input("> ").strip()
            name = question.partition(" ")[0]
            if name in TALK_COMMANDS:
                if not TALK_COMMANDS[name].run(talk):
                    break
            elif question.startswith("/"):
                say(f"there is no {name}; /help lists the commands")
            elif question:
                talk.ask(question)
        except EOFError:
            print()
            break
        except KeyboardInterrupt:
            say("\nCtrl-D or /quit ends the conversation")
        except RawChatError as error:
            tell_error(error, verbose=verbose, secrets=secrets)
    tracker = talk.client.cost_tracker
    if tracker is not None and tracker.call_count > 1:
        say(tracker.report())


class TalkCommand(NamedTuple):
    """One word after a slash. `run` returns whether the conversation goes on."""

    help: str
    run: Callable[[Talk], bool]


def _help(talk: Talk) -> bool:
    for name, command in TALK_COMMANDS.items():
        say(f"{name:8}{command.help}")
    return True


TALK_COMMANDS: Dict[str, TalkCommand] = {
    "/help": TalkCommand("this list", _help),
    "/quit": TalkCommand("ends the conversation, as Ctrl-D does", lambda talk: False),
}
