"""The scripts of the project: they run on a bare Python, make their environment once, and pass on what happened."""

import ast
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from .test_floors import load

TOP = Path(__file__).resolve().parent.parent
SCRIPTS = sorted(path for path in (TOP / "scripts").iterdir() if path.is_file() and path.suffix in ("", ".py"))
THIS_VERSION = ".".join(map(str, sys.version_info[:2]))

environment = load(TOP / "scripts" / "environment.py")


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_says_what_it_is_and_reads_as_python_3_9(path):
    """Shebang, docstring, a syntax the oldest supported Python knows, and the right to be run."""
    text = path.read_text(encoding="utf-8")
    assert text.startswith("#!/usr/bin/env python3\n")
    assert ast.get_docstring(ast.parse(text, feature_version=(3, 9)))
    assert os.name == "nt" or os.access(path, os.X_OK)


@pytest.mark.parametrize("name", ["test", "check", "bench", "environment.py", "vendor"])
def test_help_needs_nothing_installed(name, tmp_path):
    """From any folder, without site-packages."""
    command = [sys.executable, "-S", "-E", "-B", str(TOP / "scripts" / name), "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage:" in done.stdout


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash here")
def test_the_ci_script_is_bash():
    """It parses; running it is what CI does."""
    done = subprocess.run(["bash", "-n", str(TOP / ".ci" / "run")], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert os.access(TOP / ".ci" / "run", os.X_OK)


def test_the_project_file_names_what_is_there():
    """Supported versions and packages are told in one voice."""
    text = (TOP / "pyproject.toml").read_text(encoding="utf-8")
    assert tuple(re.findall(r'"Programming Language :: Python :: (3\.\d+)"', text)) == environment.SUPPORTED
    listed = re.search(r"(?m)^packages = \[(.*)\]", text)[1]
    folders = {path.parent.relative_to(TOP).as_posix() for path in (TOP / "rawchat").rglob("__init__.py")}
    assert {name.replace(".", "/") for name in re.findall(r'"(.*?)"', listed)} == folders


# ---- finding a Python


def test_this_python_is_found_by_its_version_and_by_its_path():
    """Both ways lead to an interpreter of this version."""
    assert environment.version_of(str(environment.find_python(THIS_VERSION))) == THIS_VERSION
    assert environment.find_python(sys.executable) == Path(sys.executable)


@pytest.mark.parametrize("wanted", ["2.0", "no-such-python", __file__])
def test_a_python_that_does_not_run_is_refused(wanted):
    """With a sentence, not a traceback."""
    with pytest.raises(environment.Failure, match=r"no Python"):
        environment.find_python(wanted)


# ---- what to install


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A tree of its own for the environments, in which nothing is ever installed."""
    monkeypatch.setattr(environment, "TOP", tmp_path)
    monkeypatch.setattr(environment, "FOLDER", tmp_path / ".venvs")
    (tmp_path / "pyproject.toml").write_text('dependencies = ["requests>=2.25", "other >= 1.2.3,<2"]\n')
    return tmp_path


def test_the_oldest_versions_are_read_from_the_project_file(tree):
    """A lower bound of two parts means its first release."""
    assert environment.oldest_requirements() == ["requests==2.25.0", "other==1.2.3"]


def test_the_dependencies_are_read_from_the_project_file(tree):
    """The suite is given what the package needs, and no package: which one it tests is its own affair."""
    assert environment.required() == ["requests>=2.25", "other >= 1.2.3,<2"]


def test_a_project_file_without_bounds_is_refused(tree):
    """Else --oldest would quietly test the newest."""
    (tree / "pyproject.toml").write_text('dependencies = ["requests"]\n')
    with pytest.raises(environment.Failure, match="no lower bound"):
        environment.oldest_requirements()


def test_this_project_states_its_bounds():
    """The pattern fits the file as it is."""
    assert [text.split("==")[0] for text in environment.oldest_requirements()] == ["requests"]


def test_the_fingerprint_changes_with_all_that_matters(tree):
    """Requirements, Python, project file, place; and with nothing else."""
    here = environment.fingerprint(Path("p"), ["a"])
    assert here == environment.fingerprint(Path("p"), ["a"])
    others = [environment.fingerprint(Path("p"), ["b"]), environment.fingerprint(Path("q"), ["a"])]
    (tree / "pyproject.toml").write_text("changed")
    others.append(environment.fingerprint(Path("p"), ["a"]))
    assert len({here, *others}) == 4


# ---- making an environment


class Installer:
    """Stands for venv and pip: makes the files they would make, and notes what was asked. Fails while `broken`."""

    def __init__(self, tree):
        self.tree = tree
        self.asked = []
        self.broken = False

    def __call__(self, command):
        if self.broken:
            raise environment.NotInstalled("`-m pip install` ended with 1")
        if command[1:3] == ["-m", "venv"]:
            python = environment.python_in(Path(command[3]))
            python.parent.mkdir(parents=True)
            python.write_text("")
        else:
            self.asked.append(command[-1])
            (self.tree / "project.egg-info").mkdir()


@pytest.fixture
def installer(tree, monkeypatch):
    fake = Installer(tree)
    monkeypatch.setattr(environment, "run", fake)
    return fake


def test_an_environment_is_made_once(installer, capsys):
    """The second time there is nothing to do and nothing to say; what the installation left in the tree is gone."""
    first = environment.prepare("x", ["a"])
    assert "making" in capsys.readouterr().err
    assert environment.prepare("x", ["a"]) == first
    assert first.python == environment.python_in(installer.tree / ".venvs" / f"x-py{THIS_VERSION}")
    assert capsys.readouterr().err == ""
    assert installer.asked == ["a"]
    assert list(installer.tree.glob("*.egg-info")) == []


def test_an_environment_is_made_anew_when_it_no_longer_fits(installer):
    """Other requirements, another project file, or a Python that is gone."""
    made = environment.prepare("x", ["a"])
    environment.prepare("x", ["b"])
    (installer.tree / "pyproject.toml").write_text("changed")
    environment.prepare("x", ["b"])
    made.python.unlink()
    environment.prepare("x", ["b"])
    assert installer.asked == ["a", "b", "b", "b"]


def test_what_the_developer_installed_himself_stays(installer):
    """Only the by-product of our own installation is removed."""
    (installer.tree / "mine.egg-info").mkdir()
    environment.prepare("x", ["a"])
    assert [path.name for path in installer.tree.glob("*.egg-info")] == ["mine.egg-info"]


def test_without_a_network_the_python_at_hand_is_used_if_it_will_do(installer, capsys):
    """It has all the modules; the tree is put on its path, and the person is told."""
    installer.broken = True
    found = environment.prepare("x", ["a"], modules=["json", "re"])
    assert found.python == Path(sys.executable)
    assert found.variables["PYTHONPATH"].split(os.pathsep)[0] == str(installer.tree)
    assert "running from the tree" in capsys.readouterr().err


@pytest.mark.parametrize(
    "modules, text", [(["no_such_module"], "lacks one of: no_such_module"), ([], "network access")]
)
def test_without_a_network_and_without_the_modules_it_says_so(installer, modules, text):
    """A half-made environment is not left behind to be taken for whole."""
    installer.broken = True
    with pytest.raises(environment.Failure, match=text):
        environment.prepare("x", ["a"], modules=modules)
    installer.broken = False
    environment.prepare("x", ["a"])
    assert installer.asked == ["a"]


def test_a_failed_command_shows_what_it_printed(capsys):
    """pip's own words are the ones that help."""
    with pytest.raises(environment.NotInstalled, match=r"`-c .*` ended with 1"):
        environment.run([sys.executable, "-c", "print('no such package'); raise SystemExit(1)"])
    assert "no such package" in capsys.readouterr().err


# ---- running in one


def test_the_exit_code_is_passed_on():
    """Whatever the command line ends with, the script ends with."""
    program = (
        f"import sys; sys.path.insert(0, {str(TOP / 'scripts')!r}); sys.dont_write_bytecode = True\n"
        "from environment import Environment, hand_over\n"
        "hand_over(Environment(sys.executable, {'PASSED': 'on'}),"
        " ['-c', 'import os, sys; print(os.environ[\"PASSED\"]); sys.exit(73)'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (73, "on\n", "")


def test_a_command_runs_at_the_top_of_the_tree(capfd):
    """From wherever the script was called."""
    here = environment.Environment(Path(sys.executable), {"PASSED": "on"})
    code = environment.call(here, ["-c", "import os, sys; print(os.getcwd(), os.environ['PASSED']); sys.exit(3)"])
    assert code == 3
    assert capfd.readouterr().out.strip() == f"{TOP} on"


# ---- the ground the suite stands on (tests/conftest.py)


def test_a_test_that_leaves_the_machine_fails():
    """Past every `except Exception`: neither a connection nor a look-up gets out."""
    with socket.socket() as outside, pytest.raises(pytest.fail.Exception, match=r"reach '192\.0\.2\.1'"):
        outside.connect(("192.0.2.1", 80))
    with pytest.raises(pytest.fail.Exception, match=r"look up 'name\.example'"):
        socket.getaddrinfo("name.example", 80)
    with pytest.raises(pytest.fail.Exception, match=r"look up 'name\.example'"):
        socket.create_connection(("name.example", 80))


def test_a_name_that_exists_nowhere_fails_as_it_would_outside():
    """Without a question to anybody."""
    with pytest.raises(socket.gaierror):
        socket.create_connection(("nowhere.invalid", 80))


def test_loopback_is_open():
    """By address and by name."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for host in ("127.0.0.1", "localhost"):
            with socket.create_connection((host, listener.getsockname()[1])) as connection:
                assert connection.getpeername()[0] == "127.0.0.1"


def test_nothing_of_the_developers_environment_reaches_a_test():
    """No key, no proxy, no home."""
    assert not [name for name in os.environ if name.upper().startswith("OPENAI_") or name.upper().endswith("_PROXY")]
    assert list(Path.home().iterdir()) == []
