"""The command line: reads arguments and the environment, calls the feature, prints what it gives.

    rawchat chat "What is a token?"          the answer to stdout, tokens and cost as the last line to stderr
    git diff | rawchat chat "Review this"    the prompt, a blank line, then what was piped in
    rawchat chat                             on a terminal: a conversation
    rawchat practice                         a server to try things on, without key or network
    rawchat price gpt-4o-mini 1000 500       what a call costs
    rawchat batch run in.jsonl -o out.jsonl  a file of requests, many at once; run again, it goes on

Each command is a row of COMMANDS. Does no work of its own: an answer, a price, a practice server come from the module
named after them. Text goes to stdout as it comes; everything about it (bill, retries, errors, trace) goes to stderr, so
that a pipe carries the answer and nothing else.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import sys
import warnings
from typing import Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, TextIO, Tuple

from ._version import __version__
from .batch_command import add_actions, run_action
from .client import Client
from .lab.terminal import is_terminal, printable
from .lab.trace import RetryNotice, Trace
from .lab_commands import LAB_COMMANDS, LabCommand
from .protocol.errors import PayloadError, RawChatError
from .protocol.events import Listener
from .protocol.feature_errors import UnknownPriceWarning
from .protocol.redact import is_word
from .protocol.tracker import CostTracker
from .talk import Talk, converse, say, tell_error

STOPPED = 130  # what a shell calls a program that Ctrl-C ended: 128 + SIGINT
NO_READER = 141  # ... and one whose reader went away, as in `rawchat chat ... | head -1`: 128 + SIGPIPE
OS_TROUBLE = 71  # EX_OSERR: a port that is taken, a file that cannot be read

# Which argument of Client each variable is. A variable that is set in the environment wins over the --env-file.
VARIABLES = {
    "OPENAI_API_KEY": "api_key",
    "OPENAI_BASE_URL": "base_url",
    "OPENAI_ORG_ID": "organization",
    "OPENAI_PROJECT_ID": "project",
}

BEGIN_HERE = """\
without a key or a network:
  rawchat demo
  rawchat chat --practice "What is a token?"
"""

EXIT_CODES = """\
exit codes:
    0  answered             69  server error, or none reached    76  a 200 that is no completion
    2  wrong arguments      71  a port or file of this machine   77  wrong key, or not allowed
   64  cannot be sent       73  out of budget, money or quota   130  stopped by Ctrl-C
   65  request refused      74  the stream broke off            141  nobody reads our output
   66  no such model        75  busy or too slow: try later
"""


class Command(NamedTuple):
    """One word after `rawchat`. `run` gets the parsed arguments and returns the exit code."""

    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs one command and returns its exit code. Errors are told on stderr, in a line or two, never as a traceback."""
    for stream in (sys.stdin, sys.stdout):
        # What an encoding lacks becomes "?": a program that prints other people's text must not die of a character.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    options = argparse.Namespace()
    try:
        parser = build_parser()
        parser.parse_args(argv, options)
        if options.command is None:
            parser.print_help(sys.stderr)
            return 2
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnknownPriceWarning)  # the last line says "price unknown"
            code: int = options.run(options)
            flush(sys.stdout)
            return code
    except SystemExit as leaving:  # argparse's way to end --help (0) and wrong arguments (2)
        return leaving.code if isinstance(leaving.code, int) else 2
    except BrokenPipeError:
        silence_stdout()
        return NO_READER
    except KeyboardInterrupt:
        say("\nstopped by Ctrl-C")
        return STOPPED
    except RawChatError as error:
        tell_error(error, **how_to_tell(options))
        return error.exit_code
    except OSError as error:
        tell_error(error, **how_to_tell(options))
        return OS_TROUBLE


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rawchat",
        description="Chat completions over plain HTTP, with every byte in sight.",
        epilog=BEGIN_HERE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"rawchat {__version__}")
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND", parser_class=LateParser)
    for name, command in COMMANDS.items():
        own = commands.add_parser(
            name,
            help=command.help,
            description=command.help[:1].upper() + command.help[1:] + ".",
            epilog=EXIT_CODES if name == "chat" else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        own.fill = command.add_arguments
        own.set_defaults(run=command.run)
    return parser


class LateParser(argparse.ArgumentParser):
    """The parser of one command, which learns its arguments when it is used: a chat need not load the wire lab."""

    fill: Optional[Callable[[argparse.ArgumentParser], None]] = None

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if self.fill is not None:
            fill, self.fill = self.fill, None
            fill(self)
        return super().parse_known_args(args, namespace)


# --- what several commands share ------------------------------------------------------------------------------------


def how_to_tell(options: argparse.Namespace) -> Dict[str, Any]:
    """Arguments of `tell_error`, as far as a command got with them."""
    return {"verbose": bool(getattr(options, "verbose", 0)), "secrets": getattr(options, "secrets", ())}


def flush(out: Optional[TextIO]) -> None:
    if out is not None:
        out.flush()


def silence_stdout() -> None:
    """Nobody reads any more: the rest of the buffer goes nowhere, and the interpreter's last flush finds no fault."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def read_env(text: str) -> Dict[str, str]:
    """NAME=VALUE lines, as in a .env file. Nothing in it is run or expanded.

    >>> read_env("# mine\\nexport OPENAI_API_KEY='sk-1'  # work\\nOPENAI_BASE_URL=http://localhost:8080/v1")
    {'OPENAI_API_KEY': 'sk-1', 'OPENAI_BASE_URL': 'http://localhost:8080/v1'}

    In double quotes, \\n, \\t and an escaped quote, dollar or backslash are read; in single quotes, and without quotes,
    every character stands for itself. A comment begins at the line's start or after a space. Raises PayloadError naming
    the line, never its content: it may be a key.
    """
    found = {}
    for number, line in enumerate(text.lstrip("\ufeff").split("\n"), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        parts = _ENV_LINE.fullmatch(line)
        if parts is None:
            raise PayloadError(f"line {number} of the env file is not NAME=VALUE", path=f"line {number}")
        double, single, bare = parts["double"], parts["single"], parts["bare"]
        if double is not None:
            bare = re.sub(r'\\([nt"\\$])', lambda mark: {"n": "\n", "t": "\t"}.get(mark[1], mark[1]), double)
        found[parts["name"]] = single if single is not None else bare or ""
    return found


_ENV_LINE = re.compile(
    r"""\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_.]*)\s*=\s*
    (?: "(?P<double>(?:[^"\\]|\\.)*)" | '(?P<single>[^']*)' | (?P<bare>(?!["'])(?:(?!\s+\#)(?!\s+$).)*?) )
    \s*(?:(?:(?<=\s)|(?<=["']))\#.*)?""",
    re.VERBOSE,
)


def credentials(env_file: Optional[str]) -> Dict[str, Any]:
    """Arguments of Client from the environment, and where it does not set them, from the --env-file; blank is unset."""
    from_file: Mapping[str, str] = {}
    if env_file is not None:
        with open(env_file, encoding="utf-8", errors="replace") as file:
            from_file = read_env(file.read())
    values = {name: os.environ.get(name, "").strip() or from_file.get(name, "").strip() for name in VARIABLES}
    return {VARIABLES[name]: value for name, value in values.items() if value}


def add_server_arguments(parser: argparse.ArgumentParser) -> None:
    """How to reach a server; for every command that asks one."""
    group = parser.add_argument_group("server")
    group.add_argument("--base-url", metavar="URL", help="up to and including /v1 (default: OPENAI_BASE_URL)")
    group.add_argument(
        "--env-file",
        metavar="FILE",
        help=f"read {', '.join(VARIABLES)} from here, where the environment does not set them",
    )
    group.add_argument("--timeout", type=seconds, metavar="S", help="how long one silence may last (default: 600)")
    group.add_argument("--deadline", type=seconds, metavar="S", help="how long it all may take, retries included")
    group.add_argument(
        "--max-retries", type=whole_number, default=2, metavar="N", help="tries after the first (default: 2)"
    )
    group.add_argument(
        "-v", "--verbose", action="count", default=0, help="show what crosses the wire, on stderr; -vv cuts nothing"
    )
    group.add_argument(
        "--practice", action="store_true", help="ask a practice server inside this program: no key, no network"
    )
    group.add_argument(
        "--fault", metavar="NAME", help="let the practice server do this to every request, such as 429x1 or cut@3"
    )


def seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError(text)
    return value


def whole_number(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError(text)
    return value


def dollars(text: str) -> float:
    value = float(text.lstrip("$"))
    if not 0 <= value < float("inf"):
        raise ValueError(text)
    return value


@contextlib.contextmanager
def opened_client(options: argparse.Namespace, **settings: Any) -> Iterator[Client]:
    """The client that the arguments ask for, with the practice server it talks to where there is one."""
    given = credentials(options.env_file)
    if options.base_url:
        given["base_url"] = options.base_url
    if options.timeout is not None:
        settings["timeout"] = options.timeout
    with contextlib.ExitStack() as stack:
        if options.practice or options.fault:
            from .lab.practice import PracticeServer  # a server is not what most commands need

            _check_fault(options.fault)
            server = stack.enter_context(PracticeServer(fault=options.fault, quiet=True))
            given = {"base_url": server.url, "api_key": PRACTICE_KEY}
        options.secrets = [key for key in (given.get("api_key"),) if key and not is_word(key)]
        listeners: List[Listener] = []
        if options.verbose:
            listeners.append(Trace(full=options.verbose > 1))
        elif is_terminal(sys.stderr):
            listeners.append(RetryNotice(sys.stderr, options.max_retries))
        yield stack.enter_context(
            Client(
                deadline=options.deadline,
                max_retries=options.max_retries,
                listeners=listeners,
                **given,
                **settings,
            )
        )


PRACTICE_KEY = "sk-practice"  # a key of the user's own has no business there


# --- rawchat chat ---------------------------------------------------------------------------------------------------


def add_chat_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "prompt", nargs="*", metavar="PROMPT", help="what to ask; piped text follows after a blank line"
    )
    parser.add_argument("-m", "--model", default="gpt-4o-mini", help="the model's name (default: %(default)s)")
    parser.add_argument("-s", "--system", metavar="TEXT", help="the system message")
    parser.add_argument(
        "-p",
        "--param",
        action="append",
        default=[],
        type=parameter,
        metavar="NAME=VALUE",
        help="any parameter of the API, as JSON or else as text: -p temperature=0 -p stop='[\"END\"]'; may be repeated",
    )
    parser.add_argument("--no-stream", action="store_true", help="ask for the whole answer at once")
    parser.add_argument("--json", action="store_true", help="print the reply's JSON, as it came (not streamed)")
    parser.add_argument("--budget", type=dollars, metavar="USD", help="refuse to send what would cost more than this")
    add_server_arguments(parser)


def parameter(text: str) -> Tuple[str, Any]:
    """`temperature=0` -> ("temperature", 0): a JSON value where it is one, else the text."""
    name, equals, value = text.partition("=")
    name = name.strip()
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    if name in _OPTION_FOR:
        raise argparse.ArgumentTypeError(f"{name} is set by {_OPTION_FOR[name]}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


_OPTION_FOR = {"model": "-m", "messages": "the prompt and -s", "stream": "--no-stream"}


def run_chat(options: argparse.Namespace) -> int:
    """One answer to a prompt; on a terminal and without a prompt, a conversation."""
    prompt = find_prompt(options.prompt)
    if prompt is None and not is_terminal(sys.stdin):
        raise PayloadError("nothing to ask: give a PROMPT, or pipe text in")
    tracker = CostTracker(budget_usd=options.budget) if options.budget is not None or prompt is None else None
    with opened_client(options, model=options.model, cost_tracker=tracker) as client:
        talk = Talk(
            client,
            system=options.system,
            parameters=dict(options.param),
            whole=options.no_stream,
            as_json=options.json,
            traced=bool(options.verbose),
        )
        if prompt is None:
            converse(talk, **how_to_tell(options))
            return 0
        return STOPPED if talk.ask(prompt).stopped else 0


def _check_fault(name: Optional[str]) -> None:
    """Refuses a fault that there is not, before a server starts."""
    from .lab.faults import FaultNameError, parse_fault

    try:
        parse_fault(name or "")
    except FaultNameError as error:
        raise PayloadError(f"{error} `rawchat practice --list-faults` shows them all.") from error


def find_prompt(words: Sequence[str]) -> Optional[str]:
    """The prompt, a blank line, and what was piped in; None where there is neither."""
    piped = ""
    if sys.stdin is not None and not is_terminal(sys.stdin):
        try:
            piped = sys.stdin.read().lstrip("\ufeff").rstrip("\r\n")  # PowerShell pipes begin with a BOM
        except OSError:
            if not words:
                raise  # with a prompt, an input that cannot be read (a service has none) has nothing to add
    parts = [part for part in (" ".join(words), piped) if part.strip()]
    return "\n\n".join(parts) or None


# --- rawchat models, practice, price, demo --------------------------------------------------------------------------


def add_models_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the JSON, as it came")
    add_server_arguments(parser)


def run_models(options: argparse.Namespace) -> int:
    with opened_client(options) as client:
        reply = client.models()
    if options.json:
        print(json.dumps(reply, ensure_ascii=False, indent=2))
        return 0
    for name in sorted(str(model.get("id")) for model in reply["data"]):
        print(printable(name))
    return 0


def add_demo_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-m", "--model", metavar="NAME", help="the model's name (default: one that the server offers)")
    parser.add_argument("--env-file", metavar="FILE", help=f"read {', '.join(VARIABLES)} from here, too")
    parser.add_argument("--command", default="rawchat", help="how the commands at the end begin (default: %(default)s)")


def run_demo(options: argparse.Namespace) -> int:
    from .lab.demo import demonstrate

    demonstrate(credentials(options.env_file), model=options.model, command=options.command)
    return 0


def add_practice_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--port", type=whole_number, default=0, metavar="N", help="listen there (default: any free port)"
    )
    parser.add_argument("--fault", metavar="NAME", help="do this to every request, such as 429x1, cut@3 or slow")
    parser.add_argument(
        "--pace", type=pause_ms, metavar="MS", help="pause between two pieces of a stream (default: 15)"
    )
    parser.add_argument("--key", metavar="KEY", help="answer 401 to requests without this key (default: any or none)")
    parser.add_argument("--list-faults", action="store_true", help="print the table of faults and end")


def pause_ms(text: str) -> float:
    return float(text) if float(text) == 0 else seconds(text)


def run_practice(options: argparse.Namespace) -> int:
    from .lab.practice import serve

    pace = {} if options.pace is None else {"pace_ms": options.pace}
    return serve(port=options.port, fault=options.fault, key=options.key, show_faults=options.list_faults, **pace)


def add_price_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="the model's name, as a request has it")
    parser.add_argument("prompt_tokens", metavar="PROMPT_TOKENS", type=token_count, nargs="?", help="what goes in")
    parser.add_argument(
        "completion_tokens",
        metavar="COMPLETION_TOKENS",
        type=token_count,
        nargs="?",
        help="what comes out (default: 0)",
    )


def token_count(text: str) -> int:
    return whole_number(text.replace(",", ""))


def run_price(options: argparse.Namespace) -> int:
    from .lab.price import describe_price

    print(describe_price(options.model, options.prompt_tokens, options.completion_tokens or 0))
    return 0


def add_batch_arguments(parser: argparse.ArgumentParser) -> None:
    add_actions(parser, add_server_arguments)


def run_batch_action(options: argparse.Namespace) -> int:
    return run_action(options, opened_client)


def add_doctor_arguments(parser: argparse.ArgumentParser) -> None:
    from .lab.doctor import add_arguments

    add_arguments(parser)


def run_doctor(options: argparse.Namespace) -> int:
    from .lab import doctor

    return doctor.run(options, credentials(options.env_file))


def _late(command: LabCommand) -> Command:
    """A row of the lab's table as one of ours."""
    return Command(
        command.help,
        lambda parser: command.load().add_arguments(parser),
        lambda options: int(command.load().run(options)),
    )


COMMANDS: Dict[str, Command] = {
    "chat": Command("ask a model, once or in a conversation", add_chat_arguments, run_chat),
    "models": Command("list the models that the server offers", add_models_arguments, run_models),
    "batch": Command("a file of requests, many at once, resumable", add_batch_arguments, run_batch_action),
    "practice": Command(
        "a server to try things on: no key, no network, faults on request", add_practice_arguments, run_practice
    ),
    "price": Command("what a model costs, and what so many tokens of it cost", add_price_arguments, run_price),
    "demo": Command("a streamed answer, a retry and a bill, with nothing set up", add_demo_arguments, run_demo),
    "doctor": Command(
        "whether a server is compatible, byte by byte: what it breaks, and for whom", add_doctor_arguments, run_doctor
    ),
    **{name: _late(command) for name, command in LAB_COMMANDS.items()},
}
