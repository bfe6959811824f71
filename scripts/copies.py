#!/usr/bin/env python3
"""A copy of the package in somebody's project, as a folder or as one file: made, described, looked at again.

    scripts/copies.py FOLDER_OR_FILE    what is recorded in a copy: version, commit, date, features, files

What a copy is made of is computed as {path: bytes}; making it writes them, checking it computes them anew from this
checkout and compares. What is recorded travels with the copy: in its VENDORED.txt, or in the first lines of its one
file:

    version: 0.1.0
    commit: 63bfb0cbd3e64fbea3be22dbfb4d2f7d7c9a3a51
    made: 2026-11-21
    name: chatwire
    with: session, tools
    ...
    3f786850e387550fdab836ed7e6dc881de23001b...  client.py       as `sha256sum --check VENDORED.txt` reads it

Does not import the package, neither this one nor the copy; that is for `scripts/vendor`.
"""

import ast
import datetime
import hashlib
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

from closure import FACE, VERSION, UnknownFeature, checked, closure, data_files, left_out, offered
from floors import OPTIONAL, Feature, imports_of
from single_file import single_file
from trimming import trimmed

RECORD = "VENDORED.txt"
EXTRAS = ("LICENSE", "py.typed")  # they travel with every folder
SINGLE = "(this file)"


class Refused(Exception):
    """Its text says why a copy is not made, and what can be done."""


class Plan(NamedTuple):
    """What is to be copied. `shown` is the folder as the person typed it, for the command that is written down."""

    root: Path
    name: str
    features: Tuple[str, ...]
    single: bool
    shown: str = "DEST"

    @property
    def command(self) -> str:
        words = ["scripts/vendor", self.shown]
        if self.name != self.root.name:
            words += ["--name", self.name]
        if self.single:
            words.append("--single")
        if self.features:
            words += ["--with", ",".join(self.features)]
        return " ".join(words)


class Record(NamedTuple):
    """What a copy says about itself. `files` is path -> SHA-256."""

    version: str
    commit: str
    made: str
    name: str
    features: Tuple[str, ...]
    files: Dict[str, str]


def hash_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# ---- what a copy is made of


def contents(plan: Plan) -> Dict[str, bytes]:
    """Path inside the copy -> bytes, without what is recorded of it. One file has the path `SINGLE`."""
    if plan.single:
        command = "scripts/vendor DEST --single"
        text = single_file(plan.root, plan.features, name=plan.name, command=command)
        return {SINGLE: text.encode("utf-8")}
    modules = closure(plan.root, plan.features)
    found = {path: text.encode("utf-8") for path, text in trimmed(plan.root, modules).items()}
    found.update((path, (plan.root / path).read_bytes()) for path in (*data_files(plan.root, modules), *EXTRAS))
    brought_by = left_out(plan.root, modules)
    missing: Dict[str, List[str]] = {}
    for name, (module, _) in offered(plan.root, FACE).items():
        if module in brought_by:
            missing.setdefault(brought_by[module], []).append(name)
    found[VERSION] = _version(found[VERSION].decode("utf-8"), missing).encode("utf-8")
    found[FACE] = _face(plan.root, set(modules)).encode("utf-8")
    return found


def _version(text: str, missing: Dict[str, List[str]]) -> str:
    """`_version.py` with the table of what was left out: feature -> the names that it would offer."""
    rows = "".join(f'    "{feature}": "{" ".join(names)}",\n' for feature, names in missing.items())
    filled = re.sub(r"(?m)^(LEFT_OUT: .* = )\{\}$", lambda line: f"{line[1]}{{\n{rows}}}" if rows else line[0], text)
    if rows and filled == text:
        raise Refused(f"{VERSION} has no line `LEFT_OUT: ... = {{}}` to be filled in")
    return filled


def _face(root: Path, there: Set[str]) -> str:
    """The face, which tells neither Python nor type checkers of a module that was left out."""
    text = (root / FACE).read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    absent = {item.line for item in imports_of(root, FACE) if item.when == "never" and item.module not in there}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.lineno in absent:
            gone = [(node.lineno, node.end_lineno or node.lineno)]
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_HOMES":
            gone = list(_absent_rows(node.value, there))
        else:
            continue
        for first, last in gone:
            lines[first - 1 : last] = [""] * (last - first + 1)
    return "".join(lines)


def _absent_rows(table: ast.expr, there: Set[str]) -> Iterator[Tuple[int, int]]:
    """(first line, last line) of each row of `_HOMES` whose module was left out."""
    assert isinstance(table, ast.Dict)
    for key, names in zip(table.keys, table.values):
        if key is not None and f"{ast.literal_eval(key).replace('.', '/')}.py" not in there:
            # Strings over several lines stand in parentheses, which are no part of the tree.
            yield key.lineno, (names.end_lineno or 0) + (names.lineno != key.lineno)


def version_of(root: Path) -> str:
    found = re.search(r'(?m)^__version__ = "(.*)"', (root / VERSION).read_text(encoding="utf-8"))
    return found[1] if found else "unknown"


def commit_of(root: Path) -> str:
    """The commit that is checked out, with a word where the package was changed since; "unknown" without git."""
    try:
        here = _git(root, "rev-parse", "HEAD").strip()
        changed = _git(root, "status", "--porcelain", "--", ".").strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{here}, with uncommitted changes" if changed else here


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *arguments], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    return done.stdout.decode("utf-8", "replace")


# ---- what is recorded of it


def record_text(plan: Plan, files: Dict[str, bytes]) -> str:
    """What VENDORED.txt says; the lines that are read again are `key: value`, and `SHA256  PATH`."""
    total = sum(map(len, files.values()))
    lines = [
        f"{plan.root.name}, copied as `{plan.name}`. The copy is not for editing: make it again instead.",
        "",
        *_facts(plan),
        "",
        "To update it, in a newer checkout; and to look whether it was changed or is out of date:",
        "",
        f"    {plan.command}",
        f"    {plan.command} --check",
        "",
    ]
    lines += [*_missing(plan), f"{len(files)} files, {total:,} bytes, and the SHA-256 of each:", ""]
    lines += [f"{hash_of(data)}  {path}" for path, data in sorted(files.items())]
    return "\n".join(lines) + "\n"


def _facts(plan: Plan) -> List[str]:
    return [
        f"version: {version_of(plan.root)}",
        f"commit: {commit_of(plan.root)}",
        f"made: {datetime.date.today().isoformat()}",
        f"name: {plan.name}",
        f"with: {', '.join(plan.features)}".rstrip(),
    ]


def missing_features(plan: Plan) -> List[Feature]:
    """The features that are not, or not wholly, in the copy."""
    there = set(closure(plan.root, plan.features))
    return [feature for feature in OPTIONAL if not there.issuperset(closure(plan.root, [feature.name]))]


def _missing(plan: Plan) -> List[str]:
    """What was left out, by name: a line for each would be a tenth of what a small copy says."""
    names = ", ".join(feature.name for feature in missing_features(plan))
    if not names:
        return []
    says = (
        "Left out, with what served them alone; each comes by `--with NAME`, `scripts/vendor --help` says what it is:"
    )
    return [says, "", *textwrap.wrap(names, 110, initial_indent="    ", subsequent_indent="    "), ""]


def header_text(plan: Plan, body: bytes) -> str:
    """The first lines of the one file: the same facts, the licence, and the hash of all that follows."""
    licence = (plan.root / "LICENSE").read_text(encoding="utf-8").strip().splitlines()
    lines = [
        f"{plan.root.name} in one file. It is not for editing: make it again instead, with `{plan.command}`.",
        "",
        *_facts(plan),
        "",
        *_missing(plan),
        *licence,
        "",
        f"sha256 {hash_of(body)}  {SINGLE}, from the next line on",
    ]
    return "#!/usr/bin/env python3\n" + "".join(f"# {line}".rstrip() + "\n" for line in lines)


def split(data: bytes) -> Tuple[bytes, bytes]:
    """(header, body) of one file. Without a header that ends in a hash, all of it is body."""
    ends = re.search(rb"(?m)^# sha256 .*\n", data)
    return (data[: ends.end()], data[ends.end() :]) if ends else (b"", data)


def read_record(copy: Path) -> Record:
    """What a copy says about itself. Raises Refused if it says nothing: then it was not made here."""
    try:
        data = split(copy.read_bytes())[0] if copy.is_file() else (copy / RECORD).read_bytes()
    except OSError:
        data = b""
    text = re.sub(r"(?m)^# ?", "", data.decode("utf-8", "replace"))
    facts = dict(re.findall(r"(?m)^(version|commit|made|name|with):[ ]?(.*)$", text))
    files = {
        path.partition(",")[0]: digest
        for digest, path in re.findall(r"(?m)^(?:sha256 )?([0-9a-f]{64})  (?: *\d+  )?(.*)$", text)
    }
    if len(facts) < 5 or not files:
        raise Refused(f"{copy} was not made by scripts/vendor, or its {RECORD} is gone")
    features = tuple(filter(None, facts["with"].split(", ")))
    return Record(facts["version"], facts["commit"], facts["made"], facts["name"], features, files)


# ---- making one


def make(
    plan: Plan, target: Path, *, force: bool = False, files: Optional[Dict[str, bytes]] = None
) -> Dict[str, bytes]:
    """Writes the copy to `target`, and returns what is in it, the record included. Raises Refused, OSError.

    `files` is what `contents(plan)` gave, for who has asked it before.

    A copy that was made before is replaced, and its files that no longer belong are removed; what else may be in the
    folder is never touched.
    """
    old = {} if force and not _is_ours(target) else _may_be_replaced(target, force)
    files = dict(contents(plan) if files is None else files)
    if plan.single:
        target.parent.mkdir(parents=True, exist_ok=True)
        whole = header_text(plan, files[SINGLE]).encode("utf-8") + files[SINGLE]
        target.write_bytes(whole)
        return {target.name: whole}
    files[RECORD] = record_text(plan, files).encode("utf-8")
    for path in set(old) - set(files):
        (target / path).unlink(missing_ok=True)
    for path, data in files.items():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_bytes(data)
    return files


def _is_ours(target: Path) -> bool:
    try:
        read_record(target)
    except Refused:
        return False
    return True


def _may_be_replaced(target: Path, force: bool) -> Dict[str, str]:
    """The files of the copy that stands there, if it is ours and as we left it."""
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return {}
    try:
        record = read_record(target)
    except Refused as error:
        raise Refused(f"{error}; it is left as it is. Give another place, or --force to write into it") from None
    changed = changes_by_hand(target, record)
    if changed and not force:
        raise Refused(
            f"{target} was changed by hand since it was made, and is left as it is; --force drops the changes:\n"
            + "\n".join(f"    {line}" for line in changed)
        )
    return record.files


# ---- looking at one


def changes_by_hand(copy: Path, record: Record) -> List[str]:
    """One line for each file that is not as it was made; none if all are."""
    if copy.is_file():
        same = hash_of(split(copy.read_bytes())[1]) == record.files[SINGLE]
        return [] if same else [f"changed: {copy.name}"]
    found = []
    for path, digest in sorted(record.files.items()):
        if not (copy / path).is_file():
            found.append(f"gone:    {path}")
        elif hash_of((copy / path).read_bytes()) != digest:
            found.append(f"changed: {path}")
    there = {path.relative_to(copy).as_posix() for path in copy.rglob("*.py")}
    return found + [f"added:   {path}" for path in sorted(there - set(record.files))]


def out_of_date(record: Record, plan: Plan, copy: Path) -> List[str]:
    """One line for each file that this checkout would make otherwise; none if the copy is what it would make today."""
    now = contents(plan)
    if plan.single:
        return _sections_out_of_date(split(copy.read_bytes())[1], now[SINGLE]) if _differs(record, now) else []
    found = [f"newer:   {path}" for path in sorted(now) if record.files.get(path, "") not in ("", hash_of(now[path]))]
    found += [f"new:     {path}" for path in sorted(set(now) - set(record.files))]
    return found + [f"dropped: {path}" for path in sorted(set(record.files) - set(now))]


def _differs(record: Record, now: Dict[str, bytes]) -> bool:
    return any(record.files.get(path) != hash_of(data) for path, data in now.items())


def _sections_out_of_date(old: bytes, new: bytes) -> List[str]:
    """The headings in one file under which something else stands today."""
    before, after = _sections(old), _sections(new)
    found = [f"newer:   {name}" for name in sorted(set(before) & set(after)) if before[name] != after[name]]
    found += [f"new:     {name}" for name in sorted(set(after) - set(before))]
    return found + [f"dropped: {name}" for name in sorted(set(before) - set(after))]


def _sections(body: bytes) -> Dict[str, str]:
    parts = re.split(r"(?m)^# ---- (\S+) -+\n", body.decode("utf-8", "replace"))
    return {"what stands before the first heading": parts[0], **dict(zip(parts[1::2], parts[2::2]))}


def check(root: Path, copy: Path) -> Tuple[int, List[str]]:
    """(exit status, what is to be said) of a copy: 0 if it is as it was made, and as it would be made today."""
    record = read_record(copy)
    try:
        features: Sequence[str] = checked(record.features)
    except UnknownFeature as error:
        raise Refused(f"{copy}: {error}") from error
    plan = Plan(root, record.name, tuple(features), copy.is_file())
    by_hand = changes_by_hand(copy, record)
    older = [] if by_hand and plan.single else out_of_date(record, plan, copy)
    lines = []
    if by_hand:
        lines += [f"{copy} was changed by hand:", *(f"    {line}" for line in by_hand)]
    if older:
        was = f"{record.version} of {record.made}, commit {record.commit}"
        lines.append(f"{copy} is out of date: {was}; this checkout is {version_of(root)}, commit {commit_of(root)}:")
        lines += [f"    {line}" for line in older]
    if lines:
        return 1, lines
    return 0, [f"{copy} is as it was made on {record.made}, and as this checkout would make it: {record.version}"]


def main() -> int:
    for argument in sys.argv[1:]:
        try:
            record = read_record(Path(argument))
        except Refused as error:
            print(f"scripts/copies.py: {error}", file=sys.stderr)
            return 1
        print(f"{argument}: {record.name} {record.version} of {record.made}, commit {record.commit}")
        print(f"with: {', '.join(record.features) or 'nothing more than the client'}; {len(record.files)} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
