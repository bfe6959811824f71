"""`rawchat doctor [BASE_URL]`: is this server OpenAI-compatible, and if not, on what byte does which client break?

    the way to the server
      ok    name               127.0.0.1 is 127.0.0.1
      ok    tcp                connected to 127.0.0.1 port 8080
    ...
      WARN  stream-done        no [DONE] after 17 events
              seen    {"id":"c1","object":"chat.completion.chunk", ... "finish_reason":"stop"}]}
              rule    The last event is data: [DONE]. (should; API reference, Streaming)
              breaks  clients that wait for it: some hang, some report a broken stream
              cure    TGI and Gemini leave it out; send it

Asks some twenty small questions over a line of its own, and lets the table of checks look at the answers: the shape of
what a server sends is judged, never what its model says. What one step makes impossible is not asked, and that is said
once. Asking is here; probes, checks and the report stand in clinic/.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import textwrap
import time
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from .._version import __version__
from ..protocol.errors import PayloadError
from ..protocol.redact import is_word
from ..protocol.retry import parse_retry_after
from .clinic.findings import as_json, estimate, progress, report
from .clinic.line import Line
from .clinic.probes import Plan, Probe, choose_models, chosen
from .clinic.rule import Evidence, examine
from .clinic.sight import Sight
from .clinic.table import CHECKS, GROUPS
from .clinic.visit import Visit, bill
from .exchange import Exchange
from .recording import Recording
from .terminal import is_terminal, printable, terminal_columns

DEFAULT_URL = "https://api.openai.com/v1"
PRACTICE_KEY = "sk-practice-doctor"
LONGEST_WAIT_S = 20.0  # a busy server is given one more chance where it asks for no more than this
MOST_SILENT = 3  # so many requests in a row without an answer, and no more are sent
MOST_LESSONS = 4  # how often one question is put differently after a refusal
EXIT_CODES = """\
exit codes:
    0  every must holds    69  no server reached, or none that speaks HTTP
    1  a must is broken    77  the key is refused
"""
Tell = Callable[[str], None]


class Doctor:
    """Asks one server what the chosen groups of checks want to know.

    sleep      waits where a busy server asks for it
    tell       is given a word before each question, for people
    recording  gets every exchange, secrets taken out
    """

    def __init__(
        self,
        plan: Plan,
        line: Line,
        groups: Tuple[str, ...] = tuple(GROUPS),
        *,
        sleep: Callable[[float], None] = time.sleep,
        tell: Tell = lambda _: None,
        recording: Optional[Recording] = None,
    ) -> None:
        self.plan = plan
        self.groups = groups
        self.evidence = Evidence()
        self._line = line
        self._sleep = sleep
        self._tell = tell
        self._recording = recording

    def visit(self) -> Visit:
        started_s = time.monotonic()
        self._tell("the way to the server")
        try:
            self.evidence.way = self._line.look()
            if self.evidence.way.reached:
                self._ask_all()
        finally:
            self._line.close()
        self.evidence.model, self.evidence.notes = self.plan.model, self.plan.notes
        wanted = [check for check in CHECKS if check.group in self.groups]
        results = examine(self.evidence, wanted)
        judged = {result.check.name for result in results}
        silent = not any(sight.has_head for sight in self.evidence.every)
        unreached = [check for check in wanted if silent and check.name not in judged]
        tokens, cost_usd = bill(self.evidence, self.plan.model)
        return Visit(
            self.plan,
            self.evidence,
            results,
            unreached,
            len(self.evidence.every),
            *tokens,
            cost_usd,
            time.monotonic() - started_s,
        )

    def _ask_all(self) -> None:
        probes = chosen(self.groups)
        for number, probe in enumerate(probes, start=1):
            self._tell(f"{probe.says} ({number} of {len(probes)})")
            sight = self._ask(probe)
            if probe.name == "models":
                choose_models(self.plan, sight)
            last = self.evidence.every[-MOST_SILENT:]
            if len(last) == MOST_SILENT and not any(asked.has_head for asked in last):
                return

    def _ask(self, probe: Probe) -> Optional[Sight]:
        """The answer that counts: after lessons about parameters, and after one wait for a busy server."""
        waited = False
        for _ in range(MOST_LESSONS):
            ask = probe.build(self.plan, self.evidence.sights)
            if ask is None:
                return None
            sight = Sight(self._line.ask(self.plan.request(ask)))
            self.evidence.every.append(sight)
            self.evidence.sights[probe.name] = sight
            wait_s = None if waited else self._pause_s(sight)
            self._record(sight.exchange, wait_s)
            if wait_s is not None:
                waited = True
                self._tell(f"busy; it asks to wait {wait_s:g} s")
                self._sleep(wait_s)
            elif not (probe.learns and self.plan.learn(ask, sight)):
                return sight
        return self.evidence.sights[probe.name]

    def _pause_s(self, sight: Sight) -> Optional[float]:
        if sight.status not in (429, 503):
            return None
        hint = parse_retry_after(sight.headers, sight.body, now_s=time.time())
        return hint.seconds if hint is not None and 0 <= hint.seconds <= LONGEST_WAIT_S else None

    def _record(self, exchange: Exchange, wait_s: Optional[float]) -> None:
        if self._recording is not None:
            write_exchange(self._recording, exchange, self._line.began_s, wait_s)


def write_exchange(recording: Recording, exchange: Exchange, began_s: float, wait_s: Optional[float] = None) -> None:
    """Hands a finished exchange to a recording, record by record. Its times count from `began_s`, monotonic."""
    sent_s = began_s + exchange.start_us / 1e6
    recorder = recording.begin(exchange.request, at_s=sent_s, target=exchange.target)
    if exchange.head is not None:
        recorder.head(exchange.head, at_s=sent_s + (exchange.head_us or 0) / 1e6)
    for piece in exchange.pieces:
        recorder.read(piece.data, at_s=sent_s + piece.at_us / 1e6)
    for note in exchange.notes:
        recorder.note(note, at_s=sent_s)
    end = exchange.end
    if end is not None:
        recorder.end(end.how, at_s=sent_s + end.at_us / 1e6, whole=end.whole, detail=end.detail)
        if wait_s is not None:
            recorder.wait(wait_s, "the server is busy", at_s=sent_s + end.at_us / 1e6)


# --- the command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    listed = ", ".join(GROUPS)
    parser.epilog = EXIT_CODES
    parser.add_argument(
        "base_url", nargs="*", metavar="BASE_URL", help="one server, or two side by side (default: OPENAI_BASE_URL)"
    )
    parser.add_argument("-m", "--model", help="the model to ask (default: the first of /models that chats)")
    parser.add_argument("--embedding-model", metavar="NAME", help="(default: the first of /models with embed in it)")
    parser.add_argument("--only", action="append", default=[], type=groups, metavar="GROUPS", help=f"of {listed}")
    parser.add_argument("--skip", action="append", default=[], type=groups, metavar="GROUPS", help="all but these")
    parser.add_argument(
        "--key-env",
        action="append",
        default=[],
        metavar="NAME",
        help="the variable with the key (default: OPENAI_API_KEY, for both); give it twice for a key each",
    )
    parser.add_argument("--env-file", metavar="FILE", help="read OPENAI_API_KEY and the like from here, too")
    parser.add_argument("--timeout", type=_seconds, default=30.0, metavar="S", help="longest silence (default: 30)")
    parser.add_argument("--record", metavar="FILE", help="write all exchanges to a cassette, keys taken out")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.add_argument("-q", "--quiet", action="store_true", help="print only what fails")
    parser.add_argument("--practice", action="store_true", help="examine a practice server inside this program")
    parser.add_argument("--fault", metavar="NAME", help="... that does this to every request, such as no-done or crlf")


def groups(text: str) -> List[str]:
    """`stream,tools` -> ["stream", "tools"]."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    strange = [name for name in names if name not in GROUPS]
    if strange:
        raise argparse.ArgumentTypeError(f"{strange[0]!r} is none of {', '.join(GROUPS)}")
    return names


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError(text)
    return value


def run(options: argparse.Namespace, given: Mapping[str, Any]) -> int:
    """`given` are arguments of a client as the environment has them: api_key, base_url, organization, project."""
    if options.fault:
        _check_fault(options.fault)
    names = _groups_of(options)
    options.secrets = [key for key in (given.get("api_key"),) if key and not is_word(key)]
    with contextlib.ExitStack() as stack:
        plans = stack.enter_context(_plans(options, given))
        width = min(terminal_columns(sys.stdout), 100) if is_terminal(sys.stdout) else 80
        if not options.json:
            _say(textwrap.fill(estimate(plans[0], chosen(names), len(plans)), width))
        recording = stack.enter_context(_recorded(options, options.secrets))
        visits = [_visit(plan, options, names, recording) for plan in plans]
    if options.json:
        print(as_json(visits, secrets=options.secrets))
    else:
        for line in report(visits, width, quiet=options.quiet, secrets=options.secrets):
            _say(line)
    return next((visit.exit_code for visit in visits if visit.exit_code), 0)


def _say(line: str) -> None:
    print(printable(line), flush=True)


def _groups_of(options: argparse.Namespace) -> Tuple[str, ...]:
    only = {name for names in options.only for name in names} or set(GROUPS)
    skipped = {name for names in options.skip for name in names}
    # How a server is reached is always looked at: the rest stands on it.
    return tuple(name for name in GROUPS if name == "way" or (name in only and name not in skipped))


def _visit(plan: Plan, options: argparse.Namespace, names: Tuple[str, ...], recording: Optional[Recording]) -> Visit:
    line = Line(plan.base_url, connect_s=min(10.0, options.timeout), silence_s=options.timeout)
    with progress(sys.stderr) as tell:
        return Doctor(plan, line, names, tell=tell, recording=recording).visit()


@contextlib.contextmanager
def _plans(options: argparse.Namespace, given: Mapping[str, Any]) -> Iterator[List[Plan]]:
    settings: Dict[str, Any] = {
        "model": options.model or "",
        "embedding_model": options.embedding_model or "",
        "user_agent": f"{__package__.partition('.')[0]}-doctor/{__version__}",
    }
    if not (options.practice or options.fault):
        settings.update({name: given[name] for name in ("organization", "project") if name in given})
        urls = options.base_url or [given.get("base_url") or DEFAULT_URL]
        if not (options.base_url or given or options.key_env):
            raise PayloadError(
                "no server to examine: give its BASE_URL, or set OPENAI_BASE_URL; --practice needs neither"
            )
        if len(urls) > 2:
            raise PayloadError(f"the doctor sees two servers at a time, not {len(urls)}")
        keys = _keys(options.key_env, given.get("api_key"), len(urls))
        options.secrets += [key for key in keys if key and not is_word(key)]
        yield [Plan(url, key, **settings) for url, key in zip(urls, keys)]
        return
    from .practice import PracticeServer

    with PracticeServer(key=PRACTICE_KEY, fault=options.fault, pace_ms=5.0) as server:
        plan = Plan(server.url, PRACTICE_KEY, **settings)
        plan.is_practice = True
        yield [plan]


def _keys(variables: Sequence[str], default: Optional[str], count: int) -> List[Optional[str]]:
    """A key for each server: that of its own variable, of the only variable named, or the default."""
    if not variables:
        return [default] * count
    if len(variables) not in (1, count):
        raise PayloadError(f"--key-env stands {len(variables)} times for {count} servers")
    missing = [name for name in variables if not os.environ.get(name, "").strip()]
    if missing:
        raise PayloadError(f"--key-env {missing[0]}: no such variable is set")
    return [os.environ[name].strip() for name in (variables if len(variables) == count else [*variables] * count)]


def _check_fault(name: str) -> None:
    from .faults import FaultNameError, parse_fault

    try:
        parse_fault(name)
    except FaultNameError as error:
        raise PayloadError(f"{error} `practice --list-faults` shows them all.") from error


@contextlib.contextmanager
def _recorded(options: argparse.Namespace, secrets: Sequence[str]) -> Iterator[Optional[Recording]]:
    if not options.record:
        yield None
        return
    from .cassette import CassetteWriter
    from .hiding import Hider

    with CassetteWriter(options.record) as writer:
        yield Recording([writer], source="doctor", hider=Hider(secrets), first_number=writer.next_number)
