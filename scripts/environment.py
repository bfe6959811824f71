#!/usr/bin/env python3
"""The private virtual environments that the other scripts work in, under `.venvs/` at the top of the tree.

    scripts/environment.py           print the supported Pythons found here, oldest first, one version per line

An environment is made once and used again until what it was made of changes: pyproject.toml, the requested packages,
the Python, or the place of the tree. Standard library only; runs on any supported Python, on POSIX and Windows.
"""

import argparse
import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, NoReturn, Optional, Sequence

TOP = Path(__file__).resolve().parent.parent
FOLDER = TOP / ".venvs"
SUPPORTED = ("3.9", "3.10", "3.11", "3.12", "3.13")


class Failure(Exception):
    """Something the person at the keyboard has to know; its text is all they get to see."""


class NotInstalled(Exception):
    """venv or pip failed; what they said about it has been shown."""


class Environment(NamedTuple):
    """Where commands run: a Python, and what its surroundings must say for the project to be importable."""

    python: Path
    variables: Dict[str, str]


# ---- Pythons


def version_of(python: str) -> Optional[str]:
    """Such as "3.9", of an interpreter that runs; None for a stub that does not, as a pyenv shim without its Python."""
    command = [python, "-I", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode().strip() or None if done.returncode == 0 else None


def find_python(wanted: str) -> Path:
    """The interpreter for a version ("3.9") or a path. Raises Failure."""
    if not re.fullmatch(r"\d+\.\d+", wanted):
        if version_of(wanted) is None:
            raise Failure(f"{wanted} is no Python that runs")
        return Path(shutil.which(wanted) or wanted).absolute()
    for candidate in candidates(wanted):
        if version_of(candidate) == wanted:
            return Path(candidate)
    raise Failure(f"no Python {wanted} here; looked on PATH, in pyenv and in the py launcher")


def candidates(version: str) -> Iterator[str]:
    """Where an interpreter of a version may be; the one that runs this comes first."""
    if version == ".".join(map(str, sys.version_info[:2])):
        yield sys.executable
    for name in (f"python{version}", "python3", "python"):
        found = shutil.which(name)
        if found:
            yield found
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for folder in sorted((pyenv / "versions").glob(f"{version}*"), reverse=True):
        if re.fullmatch(re.escape(version) + r"(\.\d+)?", folder.name):
            yield str(folder / "bin" / "python")
    launcher = shutil.which("py")  # Windows
    if launcher:
        done = subprocess.run(
            [launcher, f"-{version}", "-c", "import sys; print(sys.executable)"], stdout=subprocess.PIPE
        )
        if done.returncode == 0:
            yield done.stdout.decode().strip()


def supported_here() -> List[str]:
    """The supported versions that run on this machine, oldest first."""
    return [version for version in SUPPORTED if any(version_of(path) == version for path in candidates(version))]


# ---- what to install


def required() -> List[str]:
    """The dependencies as pyproject.toml has them: `requests>=2.25`."""
    text = (TOP / "pyproject.toml").read_text(encoding="utf-8")
    listed = re.search(r"(?m)^dependencies = \[(.*?)\]", text, re.DOTALL)
    return re.findall(r'"(.*?)"', listed[1] if listed else "")


def oldest_requirements() -> List[str]:
    """The lower bound of each dependency, pinned: `requests>=2.25` -> `requests==2.25.0`."""
    bounds = re.findall(r"([A-Za-z0-9_.\-]+)\s*>=\s*([0-9.]+)", "\n".join(required()))
    if not bounds:
        raise Failure("pyproject.toml states no lower bound in `dependencies`")
    return [f"{name}=={version}" + (".0" if version.count(".") == 1 else "") for name, version in bounds]


def fingerprint(python: Path, requirements: Sequence[str]) -> str:
    """Changes when anything that an environment is made of changes."""
    parts = [str(TOP), str(python), *requirements]
    digest = hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape"))
    digest.update((TOP / "pyproject.toml").read_bytes())
    return digest.hexdigest()


# ---- making one


def prepare(
    purpose: str, requirements: Sequence[str], *, python: Optional[str] = None, modules: Sequence[str] = ()
) -> Environment:
    """An environment with the requirements (as pip takes them); one line on stderr where there is work to do.

    Where it cannot be made (no network, no pip) but the chosen Python can import all of `modules`, that Python is used
    as it is; without `modules` there is no such way out. Raises Failure.
    """
    base = find_python(python) if python else Path(sys.executable)
    home = FOLDER / f"{purpose}-py{version_of(str(base))}"
    made, stamp, wanted = python_in(home), home / "made-of.txt", fingerprint(base, requirements)
    with locked(home):
        if made.exists() and stamp.exists() and stamp.read_text() == wanted:
            return Environment(made, {})
        try:
            make(home, base, requirements)
        except (NotInstalled, OSError) as error:
            shutil.rmtree(home, ignore_errors=True)
            return fall_back(base, modules, error)
        stamp.write_text(wanted)
    return Environment(made, {})


def make(home: Path, base: Path, requirements: Sequence[str]) -> None:
    say(f"making {home.relative_to(TOP)} with {shown(requirements)} ...")
    shutil.rmtree(home, ignore_errors=True)
    run([str(base), "-m", "venv", str(home)])
    leftovers = set(TOP.glob("*.egg-info"))
    pip = [str(python_in(home)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*pip, "--no-input", "--retries", "2", *requirements])
    for by_product in set(TOP.glob("*.egg-info")) - leftovers:
        shutil.rmtree(by_product)  # setuptools leaves it behind; nothing reads it once the project is installed


def shown(requirements: Sequence[str]) -> str:
    return ", ".join(text.replace(str(TOP), "this tree") for text in requirements if not text.startswith("-"))


def run(command: List[str]) -> None:
    """Runs quietly; what it printed is shown only where it failed."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        sys.stderr.write(done.stdout.decode(errors="replace"))
        raise NotInstalled(f"`{' '.join(command[1:4])}` ended with {done.returncode}")


def fall_back(base: Path, modules: Sequence[str], error: Exception) -> Environment:
    """`base` as it is, if it can import all `modules`; else a Failure that says what to do."""
    reason = f"cannot make an environment ({error})"
    if not modules:
        raise Failure(f"{reason}; it needs network access once") from error
    program = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"
    done = subprocess.run([str(base), "-c", program, *modules], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if done.returncode:
        raise Failure(
            f"{reason}, and {base} itself lacks one of: {', '.join(modules)}.\n"
            f"Give it network access once, or install them: {base} -m pip install {' '.join(modules)}\n"
            "(On Debian and Ubuntu, `apt install python3-venv` gives Python its venv.)"
        ) from error
    say(f"{reason}; running from the tree with {base}, which has {', '.join(modules)}")
    path = os.pathsep.join([str(TOP), *filter(None, [os.environ.get("PYTHONPATH")])])
    return Environment(base, {"PYTHONPATH": path})


def python_in(home: Path) -> Path:
    return home / "Scripts" / "python.exe" if os.name == "nt" else home / "bin" / "python"


@contextlib.contextmanager
def locked(home: Path) -> Iterator[None]:
    """Two scripts at once do not make the same environment at once. The lock dies with its process."""
    FOLDER.mkdir(exist_ok=True)
    with open(FOLDER / f"{home.name}.lock", "a+b") as file:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            while True:
                with contextlib.suppress(OSError):  # it gives up after ten seconds, and an installation takes longer
                    msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
                    break
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


# ---- running in one


def hand_over(environment: Environment, arguments: Sequence[str]) -> NoReturn:
    """Become `python ARGUMENTS`: its exit code, its signals, its terminal."""
    command = [str(environment.python), *arguments]
    sys.stdout.flush()
    sys.stderr.flush()
    os.environ.update(environment.variables)
    if os.name != "nt":
        os.execv(command[0], command)
    # Windows has no exec that waits. Ctrl-C reaches both; the child decides what it means.
    process = subprocess.Popen(command)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(process.wait())


def call(environment: Environment, arguments: Sequence[str]) -> int:
    """Run `python ARGUMENTS` at the top of the tree, and return its exit code."""
    variables = {**os.environ, **environment.variables}
    return subprocess.run([str(environment.python), *arguments], cwd=str(TOP), env=variables).returncode


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    argparse.ArgumentParser(description="Print the supported Pythons found on this machine, oldest first.").parse_args()
    print("\n".join(supported_here()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
