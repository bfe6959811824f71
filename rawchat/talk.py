"""A question and its answer on a terminal or a pipe: the text as it comes, then one line of tokens, cost and time.

    > What is a token?                                                         a conversation's prompt
    A token is a piece of text that the model reads and writes as one ...      stdout
    gpt-4o-mini  12 in + 30 out tokens  $0.000020  0.8 s  stop                 stderr

A conversation is the same over and over, in a ChatSession that keeps up to `HISTORY` messages; a word after a slash is
a row of TALK_COMMANDS. Knows nothing of arguments, environment or exit codes: `cli.py` hands it a client.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Sequence, TextIO

from .client import Client
from .lab.terminal import columns_of, cut, is_terminal, printable, terminal_columns, write_line
from .lab.trace import causes_of
from .protocol.errors import APIError, PayloadError, RawChatError
from .protocol.redact import redact_text
from .protocol.reply import Reply
from .protocol.reply_dialects import text_of
from .session import ChatSession, read_saved

# Messages that a conversation keeps: more than anybody types. What the model's window cannot hold it says itself.
HISTORY = 10_000


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
    """A ChatSession on the terminal: what is asked goes there, what is answered is printed.

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
        body = dict(parameters or {})
        self.session = ChatSession(client, system_prompt=system or None, max_history=HISTORY, extra_body=body)
        self.traced = traced
        self.whole = whole or as_json
        self.as_json = as_json

    def ask(self, question: str) -> Answer:
        """Prints the answer as it comes, then the bill. A question that failed leaves the conversation as it was, one
        whose answer was stopped has what came of it.
        """
        started_s = time.monotonic()
        printed = Printed(sys.stdout, held=self.traced and same_place(sys.stdout, sys.stderr))
        stopped = False
        try:
            self._print_answer(question, printed)
        except KeyboardInterrupt:
            stopped = True
        finally:
            printed.end_line()
        answer = Answer(self.session.reply, stopped)
        say_fields(bill(answer, self.session.model, time.monotonic() - started_s))
        return answer

    def _print_answer(self, question: str, printed: Printed) -> None:
        if self.as_json:
            self.session.send(question)
            printed.write(json.dumps(self.session.reply, ensure_ascii=False, indent=2))
            return
        self.session.send(question, not self.whole, printed.write)
        if self.session.reply is not None and not self.session.reply.text:
            printed.write(beside_text(self.session.reply))


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
    _tell_model(talk)
    say("/help lists the commands; Ctrl-C stops an answer, Ctrl-D ends.")
    going_on = True
    while going_on:
        try:
            line = input("> ").strip()
            if line.startswith("/"):
                going_on = obey(talk, line)
            elif line:
                talk.ask(line)
        except EOFError:
            print()
            going_on = False
        except KeyboardInterrupt:
            say("\nCtrl-D or /quit ends the conversation")
        except RawChatError as error:
            tell_error(error, verbose=verbose, secrets=secrets)
    if talk.session.cost_tracker.call_count > 1:
        say(talk.session.cost_report())


class TalkCommand(NamedTuple):
    """One word after a slash. `run` gets what follows it; only /quit ends the conversation.

    argument   "" for none, "NAME" for one that is needed, "[NAME]" for one that may be left out
    """

    argument: str
    help: str
    run: Callable[[Talk, str], None]


def obey(talk: Talk, line: str) -> bool:
    """Does what a line with a slash says; whether the conversation goes on."""
    name, argument = (*line.split(None, 1), "")[:2]
    command = TALK_COMMANDS.get(name)
    if command is None:
        say(f"there is no {name}; /help lists the commands")
    elif argument and not command.argument:
        say(f"{name} takes nothing after it")
    elif not argument and command.argument and not command.argument.startswith("["):
        say(f"{name} needs something after it: {name} {command.argument}")
    else:
        command.run(talk, argument)
        return command.run is not _quit
    return True


def _help(talk: Talk, argument: str) -> None:
    for name, command in TALK_COMMANDS.items():
        say(f"{f'{name} {command.argument}':16}{command.help}")


def _quit(talk: Talk, argument: str) -> None:
    """`obey` knows it."""


def _tell_model(talk: Talk) -> None:
    say(f"{talk.session.model} at {talk.session.client.base_url}")


def _model(talk: Talk, name: str) -> None:
    if name:
        talk.session.model = name
    _tell_model(talk)


def _system(talk: Talk, text: str) -> None:
    if text:
        talk.session.system_prompt = None if text == "-" else text
    say(f"system message: {talk.session.system_prompt or 'none'}")


def _cost(talk: Talk, argument: str) -> None:
    say(talk.session.cost_report(per_model=True))


def _undo(talk: Talk, argument: str) -> None:
    question = talk.session.undo()
    excerpt = cut(" ".join(text_of(question).split()), 60)
    say("there is nothing to take back" if question is None else f"taken back: {excerpt}")


@contextlib.contextmanager
def _told_in_a_line(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        say(f"{path}: {error.strerror or error}")
    except PayloadError as error:
        say(error.message)


def _save(talk: Talk, argument: str) -> None:
    path = os.path.expanduser(argument)
    with _told_in_a_line(path):
        if os.path.exists(path):
            read_saved(path)  # a mistyped name must not cost somebody a file of another kind
        talk.session.save(path)
        say(f"{_count(talk)} saved to {path}")


def _load(talk: Talk, argument: str) -> None:
    path = os.path.expanduser(argument)
    with _told_in_a_line(path):
        talk.session.load(path)
        say(f"{_count(talk)} loaded from {path}")
        _tell_model(talk)


def _count(talk: Talk) -> str:
    count = len(talk.session.messages)
    return f"{count} message" + "s" * (count != 1)


TALK_COMMANDS: Dict[str, TalkCommand] = {
    "/save": TalkCommand("FILE", "writes the conversation to a file", _save),
    "/load": TalkCommand("FILE", "goes on with one that was saved", _load),
    "/cost": TalkCommand("", "what it has cost so far", _cost),
    "/system": TalkCommand("[TEXT]", "shows the system message, or sets it; - removes it", _system),
    "/model": TalkCommand("[NAME]", "shows the model, or changes it", _model),
    "/undo": TalkCommand("", "takes the last question and its answer back", _undo),
    "/help": TalkCommand("", "this list", _help),
    "/quit": TalkCommand("", "ends the conversation, as Ctrl-D does", _quit),
}
