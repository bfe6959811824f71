#!/usr/bin/env python3
"""The floors of the house, from the ground up: the one list of what there is and what may stand on what.

    scripts/floors.py           print the floors, and what breaks their rules; exit 1 if anything does
    scripts/floors.py --readme  print the README's reading order

A module may import what stands before it in this list, nearer the ground, and nothing else. To add a module, add its
row where it belongs; a module without a row fails the test. The list serves the test that keeps the arrows pointing
down (tests/test_floors.py), the reading order, the vendored copy and the single file.

Reads source, runs none of it. An import counts wherever it stands: at the top, inside a function, under TYPE_CHECKING.
"""

import ast
import sys
from pathlib import Path
from typing import Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Set, Tuple, Union


class Floor(NamedTuple):
    name: str
    says: str  # one line for people
    modules: Tuple[str, ...]  # paths inside the package, each may import those before it


FLOORS = (
    Floor(
        "ground",
        "what the house stands on",
        (
            "_version.py",
            "protocol/__init__.py",
            "transport/__init__.py",
            "lab/__init__.py",
            "lab/actor/__init__.py",
            "lab/clinic/__init__.py",
        ),
    ),
    Floor(
        "protocol",
        "what crosses the wire, and what it means; pure",
        (
            "protocol/errors.py",
            "protocol/feature_errors.py",
            "protocol/optional.py",
            "protocol/redact.py",
            "protocol/shapes.py",
            "protocol/wire.py",
            "protocol/events.py",
            "protocol/kept.py",
            "protocol/event_dialects.py",
            "protocol/sse.py",
            "protocol/cures.py",
            "protocol/wording.py",
            "protocol/flaws.py",
            "protocol/payload.py",
            "protocol/url_cures.py",
            "protocol/url_forms.py",
            "protocol/header_cures.py",
            "protocol/query.py",
            "protocol/url.py",
            "protocol/segment.py",
            "protocol/coding.py",
            "protocol/headers.py",
            "protocol/error_dialects.py",
            "protocol/problem.py",
            "protocol/hints.py",
            "protocol/inside.py",
            "protocol/status_dialects.py",
            "protocol/status.py",
            "protocol/reply_fields.py",
            "protocol/reply_words.py",
            "protocol/reply_dialects.py",
            "protocol/sendable.py",
            "protocol/reply.py",
            "protocol/merging.py",
            "protocol/chunk_dialects.py",
            "protocol/chunks.py",
            "protocol/frame.py",
            "protocol/answer_dialects.py",
            "protocol/answer.py",
            "protocol/durations.py",
            "protocol/rate_limits.py",
            "protocol/retry.py",
            "protocol/prices.py",
            "protocol/cost.py",
            "protocol/tracker.py",
            "protocol/tokens.py",
            "protocol/history.py",
            "protocol/check.py",
            "protocol/schema.py",
            "protocol/parse.py",
            "protocol/embedding.py",
            "protocol/similarity.py",
            "protocol/refusals.py",
            "protocol/last_word.py",
            "protocol/call.py",
            "protocol/patience.py",
            "protocol/progress.py",
        ),
    ),
    Floor(
        "transport",
        "how it travels; the only rooms that open a connection",
        (
            "transport/base.py",
            "transport/advice.py",
            "transport/hand_made.py",
            "transport/failures.py",
            "transport/http1.py",
            "transport/reading.py",
            "transport/proxies.py",
            "transport/route.py",
            "transport/speaking.py",
            "transport/stand_in.py",
            "transport/requests_errors.py",
            "transport/requests_transport.py",
            "transport/tunnel.py",
            "transport/sockets.py",
            "transport/plain_connection.py",
            "transport/stdlib_transport.py",
            "transport/memory.py",
            "transport/async_base.py",
            "transport/connections.py",
            "transport/asyncio_transport.py",
            "transport/pyodide_transport.py",
        ),
    ),
    Floor(
        "client",
        "the loop around one call, and the faces people use",
        (
            "settings.py",
            "doors.py",
            "log.py",
            "azure.py",
            "exact.py",
            "bill.py",
            "sender.py",
            "embedding_plan.py",
            "stream.py",
            "telling.py",
            "client.py",
            "store.py",
            "cache.py",
            "asender.py",
            "astream.py",
            "aclient.py",
            "parts.py",
            "limiter.py",
            "batch_files.py",
            "batch_rules.py",
            "batch.py",
            "batch_api.py",
            "tools.py",
            "session.py",
        ),
    ),
    Floor(
        "sdk",
        "the openai package's shape over the clients",
        (
            "sdk/objects.py",
            "sdk/types/__init__.py",
            "sdk/types/chat.py",
            "sdk/exchange.py",
            "sdk/parsing.py",
            "sdk/events.py",
            "sdk/streaming.py",
            "sdk/uploads.py",
            "sdk/pages.py",
            "sdk/resources.py",
            "sdk/base.py",
            "sdk/clients.py",
            "sdk/astreaming.py",
            "sdk/aclients.py",
            "sdk/__init__.py",
        ),
    ),
    Floor(
        "lab",
        "instruments for looking at the wire; nothing below imports them",
        (
            "lab/terminal.py",
            "lab/edits.py",
            "lab/framing.py",
            "lab/fault_status.py",
            "lab/fault_table.py",
            "lab/faults.py",
            "lab/actor/lesson_topics.py",
            "lab/actor/lessons.py",
            "lab/actor/counting.py",
            "lab/actor/patterns.py",
            "lab/actor/samples.py",
            "lab/actor/vectors.py",
            "lab/actor/calls.py",
            "lab/actor/answers.py",
            "lab/actor/refusals.py",
            "lab/actor/schema_rules.py",
            "lab/actor/messages.py",
            "lab/actor/rules.py",
            "lab/actor/tool_rules.py",
            "lab/actor/validation.py",
            "lab/verdict.py",
            "lab/rates.py",
            "lab/cross_origin.py",
            "lab/sending.py",
            "lab/serving.py",
            "lab/practice.py",
            "lab/trace.py",
            "lab/hiding.py",
            "lab/exchange.py",
            "lab/recording.py",
            "lab/library_recorder.py",
            "lab/cassette.py",
            "lab/pace.py",
            "lab/matching.py",
            "lab/timing.py",
            "lab/summary.py",
            "lab/replay_transport.py",
            "lab/replay_plan.py",
            "lab/replay.py",
            "lab/changes.py",
            "lab/dissect.py",
            "lab/explain_words.py",
            "lab/explain.py",
            "lab/show.py",
            "lab/json_diff.py",
            "lab/diff.py",
            "lab/curl.py",
            "lab/resend.py",
            "lab/python_script.py",
            "lab/har.py",
            "lab/evidence.py",
            "lab/diagnosis.py",
            "lab/report_data.py",
            "lab/report.py",
            "lab/clinic/line.py",
            "lab/clinic/sight.py",
            "lab/clinic/rule.py",
            "lab/clinic/probes.py",
            "lab/clinic/way_checks.py",
            "lab/clinic/answer_checks.py",
            "lab/clinic/feature_checks.py",
            "lab/clinic/event_checks.py",
            "lab/clinic/timing_checks.py",
            "lab/clinic/stream_checks.py",
            "lab/clinic/tool_checks.py",
            "lab/clinic/refusal_checks.py",
            "lab/clinic/table.py",
            "lab/clinic/visit.py",
            "lab/clinic/findings.py",
            "lab/doctor.py",
            "lab/sides.py",
            "lab/tap_target.py",
            "lab/request_bytes.py",
            "lab/upstream.py",
            "lab/attempts.py",
            "lab/witness.py",
            "lab/tap_faults.py",
            "lab/tap_page.py",
            "lab/dry_run.py",
            "lab/passage.py",
            "lab/relay.py",
            "lab/tap_screen.py",
            "lab/tap.py",
            "lab/demo.py",
            "lab/price.py",
        ),
    ),
    Floor(
        "command line",
        "parses and prints; each command lives with its feature",
        ("talk.py", "batch_command.py", "lab_commands.py", "cli.py", "__main__.py"),
    ),
    Floor("face", "what importing the package offers; no logic", ("__init__.py",)),
)


class Feature(NamedTuple):
    """What a copy may leave out. Its modules bring along what they need to be imported, and nothing else."""

    name: str
    says: str
    modules: Tuple[str, ...]


def _all_of(name: str) -> Tuple[str, ...]:
    """The modules of one floor."""
    return next(floor.modules for floor in FLOORS if floor.name == name)


# What errors, waits and verdicts say to people, and what a call costs: asked for by whoever shows or counts them.
_HINTS = ("protocol/hints.py", "protocol/last_word.py", "protocol/reply_words.py", "transport/advice.py")
_BILL = ("protocol/prices.py", "protocol/cost.py", "bill.py", "telling.py")

# All that is no part of the core: a client that chats, streams, sends, retries and explains errors. The core reaches
# these modules by imports inside functions alone: those of a method through protocol/optional.py, which names the
# feature that is missing; for the others (hints, inside, cures, log, cost ...) it does without.
OPTIONAL = (
    Feature(
        "requests",
        "the door over `requests`; without it, that of the standard library",
        ("transport/requests_transport.py", "doors.py"),
    ),
    Feature(
        "pyodide", "the doors over `fetch`, for Python in a browser", ("transport/pyodide_transport.py", "doors.py")
    ),
    Feature(
        "events", "listeners=, Client.listen: each attempt told in WireEvents", ("protocol/events.py", "telling.py")
    ),
    Feature(
        "proxies",
        "ways through HTTP proxies; without it, no call is made where one is named",
        ("transport/proxies.py", "transport/tunnel.py", "transport/sockets.py"),
    ),
    Feature(
        "sockets",
        "the standard library's door over sockets of its own, in half the time of http.client",
        ("transport/sockets.py",),
    ),
    Feature(
        "dialects",
        "what servers other than OpenAI's say in another way",
        (
            "protocol/event_dialects.py",
            "protocol/chunk_dialects.py",
            "protocol/error_dialects.py",
            "protocol/status_dialects.py",
            "protocol/answer_dialects.py",
            "protocol/reply_dialects.py",
            "protocol/reply_fields.py",
            "protocol/sendable.py",
            "protocol/refusals.py",
            "telling.py",
        ),
    ),
    Feature(
        "hints",
        "errors say their cure and why there was no further attempt, a reply's repr what is in it",
        _HINTS,
    ),
    Feature("gzip", "compressed bodies; without it, none is asked for", ("protocol/coding.py", "transport/sockets.py")),
    Feature("inside", "errors inside a 200 are told apart by their words", ("protocol/inside.py",)),
    Feature(
        "cures",
        "PayloadErrors say where in a payload the flaw is, and what to do; base URLs in any form",
        (
            "protocol/cures.py",
            "protocol/flaws.py",
            "protocol/url_cures.py",
            "protocol/url_forms.py",
            "protocol/header_cures.py",
        ),
    ),
    Feature(
        "rate_limits",
        "waits that a server states otherwise than in seconds in Retry-After, and rate_limits()",
        ("protocol/durations.py", "protocol/rate_limits.py"),
    ),
    Feature(
        "cost",
        "what calls cost: reply.cost, CostTracker, estimate_cost, budgets",
        ("protocol/tracker.py", *_BILL),
    ),
    Feature(
        "feature_errors",
        "errors that features alone raise; each brings it along",
        ("protocol/feature_errors.py",),
    ),
    Feature("frame", "the chunks of a stream at a third of the cost", ("protocol/frame.py",)),
    Feature("log", "calls are logged to the `logging` module", ("log.py", "telling.py")),
    Feature("query", "query= and extra_query=; without it, a query in base_url", ("protocol/query.py",)),
    Feature("azure", "Client.azure, for deployment URLs", ("azure.py", "protocol/query.py")),
    Feature("parse", "Client.parse, and types to JSON schemas", ("protocol/parse.py",)),
    Feature("embed", "Client.embed", ("embedding_plan.py", "protocol/embedding.py")),
    Feature("similarity", "vectors compared", ("protocol/similarity.py",)),
    Feature("shapes", "TypedDicts of the JSON, for type checkers", ("protocol/shapes.py",)),
    Feature("tokens", "estimate_tokens and count_tokens", ("protocol/tokens.py", "exact.py")),
    Feature("history", "trim_messages and its kin", ("protocol/history.py",)),
    Feature("schema", "tool_schema, from a function", ("protocol/schema.py",)),
    Feature("tools", "run_tools", ("tools.py",)),
    Feature("session", "ChatSession", ("session.py", *_BILL)),
    Feature("async", "AsyncClient", ("aclient.py",)),
    Feature(
        "parts",
        "the single steps, over responses of requests: handle_response, iter_events, robust_chat",
        ("parts.py", "transport/requests_transport.py", "transport/hand_made.py", *_BILL),
    ),
    Feature("cache", "CachingTransport and EmbeddingCache", ("cache.py",)),
    Feature(
        "batch",
        "run_batch and the Batch API",
        ("batch.py", "batch_api.py", "protocol/query.py", *_BILL),
    ),
    Feature("memory", "MemoryTransport, for tests", ("transport/memory.py",)),
    Feature(
        "sdk",
        "the openai package's shape",
        # Its events tell choices apart as the dialects do.
        (
            *_all_of("sdk"),
            "protocol/chunk_dialects.py",
            "protocol/query.py",
            "transport/hand_made.py",
            "telling.py",
        ),
    ),
    Feature(
        "lab",
        "instruments for looking at the wire, and the command line",
        (
            *_all_of("lab"),
            *_all_of("command line"),
            "transport/hand_made.py",
            "transport/sockets.py",
            *_HINTS,
            *_BILL,
        ),
    ),
)

# What a pure module may not import: sockets, clocks, dice, threads, files, environment, processes, logs.
IMPURE = frozenset(
    """
    asyncio concurrent multiprocessing queue sched selectors signal subprocess threading
    ftplib http smtplib select socket socketserver ssl
    builtins fcntl fileinput getpass glob io logging mmap os pathlib platform shutil sys tempfile
    random secrets time uuid
    """.split()
)
IMPURE_CALLS = frozenset(("print", "open", "input", "exec", "eval", "__import__"))
# The library that one module alone may name, so that all others work where it is absent.
HTTP_LIBRARIES = frozenset(("requests", "urllib3"))
HTTP_MODULE = "transport/requests_transport.py"
# (module, what it may do although its floor forbids it) -> why
ALLOWED = {
    ("protocol/tracker.py", "threading"): "a tracker is shared between threads, and adding up is no single step",
    ("protocol/tracker.py", "print"): "CostTracker.summary() prints by contract; report() is the same as text",
}
LONGEST_FILE_LINES = 600


class Import(NamedTuple):
    """One imported module. `module` is a path inside the package, or "" for a module of somebody else's, `name`."""

    line: int
    module: str
    name: str
    when: str = "import"  # or "call", inside a function; or "never", for type checkers only


def order() -> List[str]:
    """All module paths from the ground up: the order in which they can be read, and pasted into one file."""
    return [module for floor in FLOORS for module in floor.modules]


def reading_order() -> str:
    """The floors as the README shows them: a numbered list in Markdown, without the `__init__.py`s."""
    shown: List[str] = []
    for floor in FLOORS:
        names = [f"`{module[:-3]}`" for module in floor.modules if not module.endswith("__init__.py")]
        if len(names) > 1:
            shown.append(f"{len(shown) + 1}. **{floor.name}**, {floor.says}:\n   {', '.join(names)}")
    return "\n".join(shown)


def imports_of(root: Path, module: str, text: Optional[str] = None) -> List[Import]:
    """What `module` (a path inside the package at `root`), or `text` in its place, imports, in the order of lines."""
    text = (root / module).read_text(encoding="utf-8") if text is None else text
    found = []
    for node, when in _import_nodes(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [Import(node.lineno, "", alias.name, when) for alias in node.names]
        elif node.level:
            names = [alias.name for alias in node.names]
            found += [Import(node.lineno, _resolve(root, module, node, name), name, when) for name in names]
        else:
            found.append(Import(node.lineno, "", node.module or "", when))
    return sorted(set(found))


def _import_nodes(parent: ast.AST, when: str = "import") -> Iterator[Tuple[Union[ast.Import, ast.ImportFrom], str]]:
    for node in ast.iter_child_nodes(parent):
        inside = when
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node, when
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            inside = "call"
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            inside = "never"
        yield from _import_nodes(node, inside)


def _resolve(root: Path, module: str, node: ast.ImportFrom, name: str) -> str:
    """The file that `from ..a import name` reads: a/name.py if there is one, else a.py, else a/__init__.py."""
    parts = list(Path(module).parts[:-1])
    climbed = parts[: len(parts) - (node.level - 1)]
    if node.level - 1 > len(parts):
        return "../" + (node.module or name)  # out of the package; no row of the list has that name
    base = "/".join(climbed + (node.module.split(".") if node.module else []))
    inside = f"{base}/{name}.py" if base else f"{name}.py"
    for path in (inside, f"{base}.py", f"{base}/__init__.py" if base else "__init__.py"):
        if (root / path).is_file():
            return path
    return inside if not node.module else f"{base}.py"


def copied(
    root: Path, features: Iterable[str] = (), *, look: Callable[[Path, str], List[Import]] = imports_of
) -> List[str]:
    """The modules of a copy with these features of OPTIONAL, in the order of the floors; without any, the core.

    From the client on, imports are followed wherever they stand; but from inside a function into an optional module
    only where its feature is asked for. The face comes along, and what it offers does not: it looks when asked. `look`
    is `imports_of`, or one that remembers.
    """
    modules = {feature.name: feature.modules for feature in OPTIONAL}
    asked = [module for name in features for module in modules[name]]
    left_out = {module for feature in OPTIONAL for module in feature.modules} - set(asked)
    found: Set[str] = {"__init__.py"}
    waiting = ["client.py", *asked]
    while waiting:
        module = waiting.pop()
        if module in found:
            continue
        found.add(module)
        needed = [item for item in look(root, module) if item.module and item.module != "__init__.py"]
        waiting += [
            item.module
            for item in needed
            if item.when == "import" or (item.when == "call" and item.module not in left_out)
        ]
        waiting += [f"{parent}/__init__.py" for parent in map(str, Path(module).parents) if parent != "."]
    return [module for module in order() if module in found]


def violations(root: Path) -> List[str]:
    """One line for each rule that the package at `root` breaks: "client.py:12: ..."; none if all is well."""
    listed = order()
    there = {path.relative_to(root).as_posix() for path in root.rglob("*.py")}
    found = [f"{module}: stands in no floor; add a row to scripts/floors.py" for module in sorted(there - set(listed))]
    found += [f"{module}: has a row in scripts/floors.py, and is not there" for module in listed if module not in there]
    found += [
        f"{module}: has two rows in scripts/floors.py" for module in sorted(set(listed)) if listed.count(module) > 1
    ]
    rank = {module: number for number, module in enumerate(listed)}
    for module in listed:
        if module in there:
            found += [f"{module}:{line}: {what}" for line, what in sorted(set(_flaws(root, module, rank)))]
    return found


def _flaws(root: Path, module: str, rank: Dict[str, int]) -> Iterator[Tuple[int, str]]:
    text = (root / module).read_text(encoding="utf-8")
    tree = ast.parse(text)
    if not ast.get_docstring(tree):
        yield 1, "has no docstring"
    lines = len(text.splitlines())
    if lines > LONGEST_FILE_LINES:
        yield 1, f"has {lines} lines; {LONGEST_FILE_LINES} is the limit"
    for item in imports_of(root, module):
        what = _arrow(module, item, rank) if item.module else _foreign(root, module, item.name)
        if what:
            yield item.line, what
    if module.startswith("protocol/"):
        for line, name in _calls(tree):
            if (module, name) not in ALLOWED:
                yield line, f"calls {name}(), and protocol/ is pure"


def _arrow(module: str, item: Import, rank: Dict[str, int]) -> str:
    if item.module not in rank:
        return f"imports {item.module}, which stands in no floor"
    if item.module == module:
        return "imports itself"
    if rank[item.module] > rank[module]:
        return f"imports {item.module}, which stands above it"
    return ""


def _foreign(root: Path, module: str, name: str) -> str:
    top = name.split(".")[0]
    if top == root.name:
        return f"imports {name} by our own name; write it relative, so that a copy under another name works"
    if top in HTTP_LIBRARIES and module != HTTP_MODULE:
        return f"imports {top}; only {HTTP_MODULE} may"
    # urllib.parse is arithmetic on text, urllib.request is a network.
    impure = top in IMPURE or name == "urllib" or name.startswith(("urllib.request", "urllib.robotparser"))
    if impure and module.startswith("protocol/") and (module, top) not in ALLOWED:
        return f"imports {name}, and protocol/ is pure"
    return ""


def _calls(tree: ast.Module) -> Iterator[Tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS:
            yield node.lineno, node.func.id


def function_lengths(root: Path) -> List[int]:
    """Lines of every function, from `def` to its end with its docstring; sorted."""
    return sorted(
        (node.end_lineno or node.lineno) - node.lineno + 1
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    )


def package() -> Path:
    """The package in this tree: the one folder at the top with an `__init__.py` and a `protocol/`."""
    top = Path(__file__).resolve().parent.parent
    return next(path.parent.parent for path in top.glob("*/protocol/__init__.py"))


def main() -> int:
    if "--readme" in sys.argv[1:]:
        print(reading_order())
        return 0
    root = package()
    for floor in FLOORS:
        print(f"{floor.name}: {floor.says}")
        for module in floor.modules:
            print(f"    {module}")
    found = violations(root)
    print("\n".join(["", *found]) if found else "\nAll arrows point down.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
