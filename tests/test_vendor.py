"""Copies in other people's projects: what is in them, what they say, that they work, and that changes are noticed."""

import ast
import builtins
import hashlib
import re
import shutil
import subprocess
import symtable
import sys
import zipfile
from pathlib import Path

import pytest

from . import forms
from .forms import TOP

sys.path.insert(0, str(TOP / "scripts"))
try:
    import copies
    import scopes
    import single_file
    from closure import UnknownFeature, checked, closure, data_files, left_out
    from floors import OPTIONAL, order
finally:
    sys.path.remove(str(TOP / "scripts"))

PACKAGE = forms.SOURCE
VENDOR = [sys.executable, "-B", str(TOP / "scripts" / "vendor")]


def vendor(*arguments, cwd=None):
    """(exit status, what was printed) of scripts/vendor."""
    done = subprocess.run([*VENDOR, *map(str, arguments)], capture_output=True, text=True, timeout=120, cwd=cwd)
    return done.returncode, done.stdout + done.stderr


def alone(program, place, *arguments):
    """What a program prints in a Python that sees `place` and the standard library, and fails on warnings."""
    command = [sys.executable, "-I", "-S", "-B", "-W", "error", "-c", program, str(place), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with the copies that most tests look at: core/chatwire, core.py and all.py."""
    folder = tmp_path_factory.mktemp("made")
    copies.make(copies.Plan(PACKAGE, "chatwire", (), False), folder / "chatwire")
    copies.make(copies.Plan(PACKAGE, "core", (), True), folder / "core.py")
    copies.make(copies.Plan(PACKAGE, "everything", ("all",), True), folder / "everything.py")
    return folder


@pytest.fixture
def copy(made, tmp_path):
    """The folder `chatwire`, for a test to spoil."""
    shutil.copytree(made / "chatwire", tmp_path / "chatwire")
    return tmp_path / "chatwire"


# ---- the command


def test_a_folder_is_copied_tried_and_described(tmp_path):
    """What is printed is true: files, bytes, and what was left out."""
    status, said = vendor(tmp_path, "--name", "chatwire", "--with", "history,memory")
    files = [path for path in (tmp_path / "chatwire").rglob("*") if path.is_file()]
    total = sum(path.stat().st_size for path in files)

    assert status == 0, said
    assert f"{len(files)} files, {total:,} bytes, with history, memory" in said
    assert re.search(r"^left out: .*\btools\b.*\bsdk\b", said, re.MULTILINE)
    assert (tmp_path / "chatwire" / "protocol" / "history.py").exists()
    assert not (tmp_path / "chatwire" / "tools.py").exists()
    assert not list(tmp_path.rglob("*.pyc"))


def test_one_file_is_made_tried_and_described(tmp_path):
    """It says its size, and stands alone."""
    status, said = vendor(tmp_path, "--single", "--name", "chatwire", "--with", "tools")
    assert status == 0, said
    assert f"1 file, {(tmp_path / 'chatwire.py').stat().st_size:,} bytes, with tools" in said
    assert [path.name for path in tmp_path.iterdir()] == ["chatwire.py"]


WRONG = [
    ("a feature that does not exist", ["--with", "sessions"], "no such feature: sessions; there are: "),
    ("a name that cannot be imported", ["--name", "chat-wire"], "'chat-wire' cannot be imported"),
    ("a word of the language", ["--name", "class"], "'class' cannot be imported"),
]


@pytest.mark.parametrize("arguments, words", [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_what_cannot_be_done_is_said(arguments, words, tmp_path):
    """And nothing is made."""
    status, said = vendor(tmp_path / "new", *arguments)
    assert status == 1
    assert words in said
    assert not (tmp_path / "new").exists()


def test_the_copy_says_how_to_make_it_again(tmp_path):
    """The command in VENDORED.txt does, typed at the top of a checkout, what made the copy."""
    vendor(tmp_path, "--name", "chatwire", "--with", "session")
    before = (tmp_path / "chatwire" / "VENDORED.txt").read_text(encoding="utf-8")
    command = re.search(r"^    scripts/vendor (.*)$", before, re.MULTILINE)[1].split()
    shutil.rmtree(tmp_path / "chatwire")

    assert vendor(*command)[0] == 0
    assert (tmp_path / "chatwire" / "VENDORED.txt").read_text(encoding="utf-8") == before
    assert vendor(*command, "--check")[0] == 0


# ---- what is not overwritten


def test_the_record_is_what_sha256sum_reads(copy):
    """Hash, two blanks, path: whoever has no checkout can look a copy over with the tools of a system."""
    lines = re.findall(r"^([0-9a-f]{64})  (.+)$", (copy / "VENDORED.txt").read_text(encoding="utf-8"), re.MULTILINE)
    there = {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()} - {"VENDORED.txt"}
    assert {path: hashlib.sha256((copy / path).read_bytes()).hexdigest() for _, path in lines} == {
        path: digest for digest, path in lines
    }
    assert {path for _, path in lines} == there


def test_a_copy_with_a_record_of_the_older_form_is_updated(copy):
    """It had a word before the hash, and the size behind it."""
    record = copy / "VENDORED.txt"
    older = re.sub(r"(?m)^([0-9a-f]{64})  ", r"sha256 \1    1234  ", record.read_text(encoding="utf-8"))
    record.write_text(older, encoding="utf-8")
    status, said = vendor(copy.parent, "--name", "chatwire", "--check")
    assert status == 0, said


def test_type_checkers_are_told_of_no_module_that_is_not_there(copy):
    """Nor of its names; a star import of theirs would fail on it."""
    tree = ast.parse((copy / "__init__.py").read_text(encoding="utf-8"))
    told = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level}
    assert {"client", "protocol.errors"} <= told
    assert all((copy / f"{name.replace('.', '/')}.py").exists() for name in told)


def test_a_folder_of_somebody_elses_is_left_alone(tmp_path):
    """Only --force writes into it, and even that removes nothing."""
    (tmp_path / "rawchat").mkdir()
    (tmp_path / "rawchat" / "mine.py").write_text("x = 1\n")
    status, said = vendor(tmp_path)
    assert status == 1
    assert "was not made by scripts/vendor" in said and "--force" in said
    assert [path.name for path in (tmp_path / "rawchat").iterdir()] == ["mine.py"]

    assert vendor(tmp_path, "--force")[0] == 0
    assert (tmp_path / "rawchat" / "mine.py").read_text() == "x = 1\n"
    assert (tmp_path / "rawchat" / "client.py").exists()


def test_changes_by_hand_are_not_overwritten(copy):
    """They are named, and stay until --force says that they may go."""
    plan = copies.Plan(PACKAGE, "chatwire", (), False)
    (copy / "client.py").write_text("mine\n")
    with pytest.raises(copies.Refused, match=r"(?s)changed by hand.*client\.py"):
        copies.make(plan, copy)
    assert (copy / "client.py").read_text() == "mine\n"
    copies.make(plan, copy, force=True)
    assert copies.check(PACKAGE, copy)[0] == 0


def test_making_it_again_with_less_takes_away_what_it_brought(tmp_path):
    """Files of the copy that no longer belong go; what somebody put beside them stays."""
    target = tmp_path / "chatwire"
    copies.make(copies.Plan(PACKAGE, "chatwire", ("session",), False), target)
    (target / "notes.txt").write_text("mine")
    copies.make(copies.Plan(PACKAGE, "chatwire", (), False), target)
    assert not (target / "session.py").exists()
    assert (target / "notes.txt").read_text() == "mine"


# ---- --check


def edit(path):
    path.write_text(path.read_text(encoding="utf-8") + "# mine\n", encoding="utf-8")


BY_HAND = [
    ("nothing", lambda copy: None, ""),
    ("a changed file", lambda copy: edit(copy / "client.py"), "changed: client.py"),
    ("a changed licence", lambda copy: edit(copy / "LICENSE"), "changed: LICENSE"),
    ("a removed file", lambda copy: (copy / "stream.py").unlink(), "gone:    stream.py"),
    ("an added module", lambda copy: (copy / "protocol" / "mine.py").write_text(""), "added:   protocol/mine.py"),
]


@pytest.mark.parametrize("spoil, words", [row[1:] for row in BY_HAND], ids=[row[0] for row in BY_HAND])
def test_check_tells_what_was_changed_by_hand(copy, spoil, words):
    """Which files, and nothing else; the exit status says the same."""
    spoil(copy)
    status, lines = copies.check(PACKAGE, copy)
    assert status == bool(words)
    told = [line.strip() for line in lines if line.startswith("    ")]
    assert told == ([words] if words else [])


@pytest.fixture
def newer(tmp_path):
    """A checkout of its own, for a test to change."""
    root = tmp_path / "newer" / "rawchat"
    shutil.copytree(PACKAGE, root, ignore=shutil.ignore_patterns("__pycache__"))
    return root


def test_check_tells_what_is_out_of_date(newer, copy):
    """Which files this checkout would make otherwise, and of which version and day the copy is."""
    edit(newer / "client.py")
    version = newer / "_version.py"
    version.write_text(version.read_text().replace(' = "', ' = "9.'))
    status, lines = copies.check(newer, copy)
    assert status == 1
    assert "is out of date" in lines[0] and "this checkout is 9." in lines[0]
    assert [line.strip() for line in lines[1:]] == ["newer:   _version.py", "newer:   client.py"]


def test_check_tells_of_files_that_came_and_went(newer, copy):
    """A copy made of a module less, or of one more."""
    record = copies.read_record(copy)
    del record.files["client.py"]
    record.files["old.py"] = "0" * 64
    plan = copies.Plan(newer, "chatwire", (), False)
    assert copies.out_of_date(record, plan, copy) == ["new:     client.py", "dropped: old.py"]


def test_check_looks_into_one_file(newer, made, tmp_path):
    """Its header holds the hash of the rest; what is newer is told by the headings of the modules."""
    copy = tmp_path / "core.py"
    shutil.copy(made / "core.py", copy)
    assert copies.check(PACKAGE, copy)[0] == 0
    edit(newer / "client.py")
    assert copies.check(newer, copy)[1][1:] == ["    newer:   client.py"]
    edit(copy)
    status, lines = copies.check(PACKAGE, copy)
    assert (status, lines[1:]) == (1, ["    changed: core.py"])


def test_check_runs_from_the_command_line(tmp_path):
    """Given where the copy is, or the copy itself; what is no copy is an error that says so."""
    vendor(tmp_path, "--name", "chatwire")
    assert vendor(tmp_path, "--name", "chatwire", "--check")[0] == 0
    status, said = vendor(tmp_path / "chatwire", "--check")
    assert status == 0 and "is as it was made" in said
    edit(tmp_path / "chatwire" / "client.py")
    assert vendor(tmp_path / "chatwire", "--check")[0] == 1
    status, said = vendor(tmp_path, "--check")
    assert status == 1 and "was not made by scripts/vendor" in said


# ---- features


def test_a_linters_cache_is_no_file_of_the_package(tmp_path):
    """A folder that a tool hid in the package travels with no copy."""
    root = tmp_path / "package"
    (root / "lab" / ".cache").mkdir(parents=True)
    for name in ("__init__.py", "lab/__init__.py", "lab/page.html", "lab/.cache/x", "lab/.hidden"):
        (root / name).write_text("")
    assert data_files(root, ["__init__.py", "lab/__init__.py"]) == ["lab/page.html"]


def test_all_stands_for_every_feature():
    """And a feature that is named twice is there once."""
    assert checked(["all", "session"]) == ["all"]
    assert checked(["tools", "session", "tools", ""]) == [
        feature.name for feature in OPTIONAL if feature.name in ("tools", "session")
    ]
    assert closure(PACKAGE, ["all"]) == order()
    with pytest.raises(UnknownFeature):
        checked(["sesion"])


def test_every_module_that_was_left_out_has_a_feature_that_brings_it():
    """What an error suggests must help."""
    missing = left_out(PACKAGE, closure(PACKAGE))
    assert missing
    wrong = [module for module, name in missing.items() if module not in closure(PACKAGE, [name])]
    assert wrong == []


def test_the_face_offers_what_is_there_and_says_what_is_not(made):
    """A star import works; a name that was left out names the feature, in both ways of asking for it."""
    program = """
import sys
sys.path.insert(0, sys.argv[1])
import chatwire
from chatwire import *
print("ChatSession" in chatwire.__all__, "ChatSession" in dir(chatwire), "Client" in globals())
for ask in ("chatwire.ChatSession", "__import__('chatwire', fromlist=['x']).ChatSession"):
    try:
        eval(ask)
    except ImportError as error:
        print(error)
try:
    from chatwire import ChatSession
except ImportError as error:
    print(error)
"""
    said = "this copy was made without session; make it again with `scripts/vendor --with session`"
    assert alone(program, made).splitlines() == ["False False True", said, said, said]


# ---- where they run

ASK = """
import importlib, sys
sys.path.insert(0, sys.argv[1])
chat = importlib.import_module(sys.argv[2])
with chat.Client("key", sys.argv[3]) as client:
    print(client.chat("What is 6 * 7?").text)
    with client.stream("Count to five.") as stream:
        print("".join(stream), stream.reply.usage.total_tokens > 0)
"""


@pytest.mark.parametrize("name", ["chatwire", "core", "everything"])
def test_a_copy_asks_a_server_with_the_standard_library_alone(name, made, practice):
    """Under another name, without site-packages: a whole answer and a streamed one, over a socket."""
    said = alone(ASK, made, name, practice.url)
    assert "42" in said
    assert said.splitlines()[-1] == "One, two, three, four, five. True"


def test_the_core_runs_from_a_zip(made, practice, tmp_path):
    """With no file but the zip."""
    archive = tmp_path / "app.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in (made / "chatwire").rglob("*.py"):
            file.write(path, f"chatwire/{path.relative_to(made / 'chatwire').as_posix()}")
    assert "42" in alone(ASK, archive, "chatwire", practice.url)


def test_the_demonstration_runs_from_a_zip(tmp_path):
    """`python -I -S`, a copy under another name: a 429 retried, a streamed answer, the bill."""
    files = copies.contents(copies.Plan(PACKAGE, "chatwire", ("lab",), False))
    archive = tmp_path / "app.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path, data in files.items():
            file.writestr(f"chatwire/{path}", data)
    program = """
import runpy, sys
sys.path.insert(0, sys.argv[1])
sys.argv[1:] = ["demo"]
runpy.run_module("chatwire", run_name="__main__", alter_sys=True)
"""
    command = [sys.executable, "-I", "-S", "-W", "error", "-c", program, str(archive)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "429 rate limit" in done.stdout + done.stderr
    assert "Total cost: $0.0000" in done.stdout + done.stderr


def test_one_file_is_a_program_where_the_command_line_is_part_of_it(made):
    """`python everything.py price ...`, and the name it was given is what a server would see."""
    command = [sys.executable, "-I", "-S", "-W", "error", str(made / "everything.py"), "price", "gpt-4o-mini"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "gpt-4o-mini" in done.stdout


# ---- one file


@pytest.mark.parametrize("name", ["core", "everything"])
def test_every_name_in_one_file_is_one_of_its_own_or_pythons(name, made):
    """A name that was spelled anew in one place and not in another would be found here."""
    text = (made / f"{name}.py").read_text(encoding="utf-8")
    table = symtable.symtable(text, name, "exec")
    known = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    known |= {child.get_name() for child in table.get_children()} | set(dir(builtins)) | {"__file__"}

    def unknown(scope):
        for symbol in scope.get_symbols():
            if symbol.is_global() and symbol.is_referenced() and symbol.get_name() not in known:
                yield f"{scope.get_name()}:{scope.get_lineno()}: {symbol.get_name()}"
        for child in scope.get_children():
            yield from unknown(child)

    assert list(unknown(table)) == []


@pytest.mark.parametrize("name", ["core", "everything"])
def test_no_name_of_one_file_is_given_twice(name, made):
    """Two modules' functions under one name: the later would silently stand for both."""
    tree = ast.parse((made / f"{name}.py").read_text(encoding="utf-8"))
    names = [node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef))]
    assert sorted(name for name in set(names) if names.count(name) > 1) == []
    assert [name for name in names if hasattr(builtins, name)] == []


@pytest.mark.parametrize("name", ["core", "everything"])
def test_imports_stand_at_the_top_and_once(name, made):
    """And none of them is of one of our own modules."""
    tree = ast.parse((made / f"{name}.py").read_text(encoding="utf-8"))
    top = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    shown = [ast.unparse(node) for node in top]
    assert len(shown) == len(set(shown))
    last = max(tree.body.index(node) for node in top)
    assert all(isinstance(node, (ast.Import, ast.ImportFrom, ast.Expr)) for node in tree.body[: last + 1])
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]


def test_one_file_reads_from_the_ground_up(made):
    """A banner for each floor, a heading for each module in the order of the floors, its docstring under it."""
    text = (made / "everything.py").read_text(encoding="utf-8")
    headings = re.findall(r"(?m)^# ---- (\S+) -+$", text)
    ranked = [path for path in order() if path in headings]
    flat = [path for path in headings if path != "sdk/__init__.py"]
    assert flat == [path for path in ranked if path != "sdk/__init__.py"]
    tree = ast.parse(text)
    said = {
        node.value.value for node in tree.body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for path in flat:
        assert ast.get_docstring(ast.parse((PACKAGE / path).read_text(encoding="utf-8")), clean=False) in said, path
    assert len(re.findall(r"(?m)^# =+\n# [a-z ]+: .*\n# =+$", text)) >= 7


def test_comments_come_along(made):
    """They say why; a copy without them would be a worse one. Those beside imports go with the imports."""
    text = (made / "everything.py").read_text(encoding="utf-8")
    source = (PACKAGE / "protocol" / "redact.py").read_text(encoding="utf-8")
    comments = [line.strip() for line in source.splitlines() if line.strip().startswith("#")]
    assert len(comments) > 3
    assert [line for line in comments if line not in text] == []


FLATTENED = [
    ("a private name of two modules", "_count", "protocol/retry.py", "_retry_count"),
    ("a constant", "DONE", "lab/edits.py", "EDITS_DONE"),
    ("a class", "Stream", "sdk/streaming.py", "StreamingStream"),
    ("behind an underscore", "_KINDS", "sdk/clients.py", "_CLIENTS_KINDS"),
]


@pytest.mark.parametrize("name, home, expected", [row[1:] for row in FLATTENED], ids=[row[0] for row in FLATTENED])
def test_how_names_are_told_apart(name, home, expected):
    """The module's name in front, in the name's own style."""
    assert single_file.qualified(name, single_file.Entity(home, name)) == expected


def test_what_the_package_offers_keeps_its_name():
    """Whatever else is called so inside."""
    names = single_file.names_of(PACKAGE, order())
    public = {(home, theirs) for home, theirs in single_file.offered(PACKAGE, "__init__.py").values()}
    assert {names.final.get(single_file.Entity(*each), each[1]) for each in public} == {name for _, name in public}


SCOPES = [
    ("a use", "x = 1\nx", [(1, "x"), (2, "x")]),
    ("a parameter", "def f(x): return x", [(1, "f")]),
    ("a default", "def f(y=x): return y", [(1, "f"), (1, "x")]),
    ("an annotation", "def f(y: x) -> z: pass", [(1, "f"), (1, "x"), (1, "z")]),
    ("a local", "def f():\n    x = 1\n    return x", [(1, "f")]),
    ("global", "def f():\n    global x\n    x = 1", [(1, "f"), (2, "x"), (3, "x")]),
    ("an outer function's", "def f(x):\n    def g(): return x", [(1, "f")]),
    ("a class's, seen in it", "class C:\n    x = 1\n    y = x", [(1, "C")]),
    ("a class's, not seen in its methods", "class C:\n    x = 1\n    def f(self): return x", [(1, "C"), (3, "x")]),
    ("a comprehension's", "[x for x in y if x]", [(1, "y")]),
    ("the first iterable is outside", "def f(y): return [x for x in y for z in w]", [(1, "f"), (1, "w")]),
    (":= in a comprehension", "def f(y): return [(z := x) for x in y], z", [(1, "f")]),
    ("a lambda's", "lambda x, *y, z=w: x + y + z + v", [(1, "v"), (1, "w")]),
    ("an exception's", "def f():\n    try: pass\n    except E as e: e", [(1, "f"), (3, "E")]),
    ("an import in a function", "def f():\n    import a.b\n    a.b", [(1, "f")]),
    ("a loop and a with", "def f(y):\n    for x in y: x\n    with y as z: z", [(1, "f")]),
    ("an attribute and a keyword", "f(x=y.x)", [(1, "f"), (1, "y")]),
]


@pytest.mark.parametrize("text, expected", [row[1:] for row in SCOPES], ids=[row[0] for row in SCOPES])
def test_which_names_are_the_modules(text, expected):
    """As the language reference has it; what is local keeps its spelling in one file."""
    found = sorted((use.node.lineno, use.name) for use in scopes.uses(ast.parse(text)))
    assert sorted(set(found)) == expected


def test_a_module_that_is_handed_around_is_an_object_in_one_file(tmp_path):
    """And a name that was imported only to be handed on is what it was."""
    (tmp_path / "errors.py").write_text('"""E."""\nx = 1\n')
    (tmp_path / "user.py").write_text('"""U."""\nfrom . import errors\n\nprint(errors, errors.x)\n')
    (tmp_path / "between.py").write_text('"""B."""\nfrom .errors import x\n')
    (tmp_path / "last.py").write_text('"""L."""\nfrom .between import x as y\n\nx = y\n')
    paths = ("errors.py", "user.py", "between.py", "last.py")
    modules = [single_file.Module(tmp_path, path) for path in paths]
    names = single_file.Names(modules, set())
    user, last = (single_file.Flattener(modules[number], names, set(paths)) for number in (1, 3))
    assert user.text().strip() == "print(_module_errors, errors_x)"
    assert user.handed_on == {"errors.py"}
    assert last.text().strip() == "last_x = errors_x"


def test_a_local_name_hides_nothing_in_one_file(tmp_path):
    """`shown = errors.shown()` in a function would be `shown = shown()`, and fail."""
    (tmp_path / "errors.py").write_text('"""E."""\ndef shown(): pass\n')
    (tmp_path / "user.py").write_text('"""U."""\nfrom . import errors\n\ndef f():\n    shown = errors.shown()\n')
    modules = [single_file.Module(tmp_path, path) for path in ("errors.py", "user.py")]
    names = single_file.Names(modules, set())
    text = single_file.Flattener(modules[1], names, {"errors.py", "user.py"}).text()
    assert text.strip() == "def f():\n    shown = errors_shown()"


def test_a_copy_that_does_not_work_is_not_made(monkeypatch, tmp_path):
    """It is tried before anything is written: a mistake in floors.py shows here, and not in somebody's project."""
    root = tmp_path / "checkout"
    shutil.copytree(TOP / "scripts", root / "scripts", ignore=shutil.ignore_patterns("__pycache__", "examples"))
    shutil.copytree(PACKAGE, root / "rawchat", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "rawchat" / "sender.py").write_text('"""Broken."""\n')
    command = [sys.executable, "-B", str(root / "scripts" / "vendor"), str(tmp_path / "there")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "would not work, and was not made" in done.stderr and "ImportError" in done.stderr
    assert not Path(tmp_path / "there").exists()
