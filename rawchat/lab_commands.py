"""The commands of the wire lab: one row each. A module is loaded when its command runs, and not before.

    rawchat tap -- python my_program.py      see what any SDK sends and gets
    rawchat show calls.jsonl#3               one recorded exchange

Each module named here offers `add_arguments(parser)` and `run(options) -> exit code`. Decides and prints nothing.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, NamedTuple


class LabCommand(NamedTuple):
    """One word after `rawchat`. `load` gives the module that does the work."""

    help: str
    load: Callable[[], Any]


# Loaders are functions with an import inside, and no names of modules in strings: a tool that follows imports (the
# floors, the vendored copy) sees them. One function a row, in the order of the rows.


def _tap() -> Any:
    from .lab import tap

    return tap


def _show() -> Any:
    from .lab import show

    return show


def _explain() -> Any:
    from .lab import explain

    return explain


def _curl() -> Any:
    from .lab import curl

    return curl


def _python() -> Any:
    from .lab import python_script

    return python_script


def _har() -> Any:
    from .lab import har

    return har


def _diff() -> Any:
    from .lab import diff

    return diff


def _report() -> Any:
    from .lab import report

    return report


def _replay() -> Any:
    from .lab import replay

    return replay


def _resend() -> Any:
    from .lab import resend

    return resend


LAB_COMMANDS: Dict[str, LabCommand] = {
    "tap": LabCommand("show and record what any SDK sends and gets, byte by byte", _tap),
    "show": LabCommand("what a recording holds: all exchanges, or one with its message and its times", _show),
    "explain": LabCommand("a recorded exchange byte by byte, with the rule behind each", _explain),
    "diff": LabCommand("two recorded exchanges compared: meaning, headers, bytes, answers", _diff),
    "curl": LabCommand("a recorded request as a curl command that runs", _curl),
    "python": LabCommand("a recorded request as a Python program that runs", _python),
    "har": LabCommand("a recording as a HAR file for browsers, and the other way round", _har),
    "report": LabCommand("a recording as one page of HTML: timing, diagnosis, every byte", _report),
    "replay": LabCommand("answer any SDK from a recording, with its times, framing and failures", _replay),
    "resend": LabCommand("a recorded request sent again, and the two answers compared", _resend),
}
