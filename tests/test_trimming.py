"""What a copy loses with the rooms that were left out of it, and nothing else."""

import sys

import pytest

from . import forms

sys.path.insert(0, str(forms.TOP / "scripts"))
try:
    from closure import closure
    from trimming import trimmed
finally:
    sys.path.remove(str(forms.TOP / "scripts"))

FACE = '_HOMES = {"core": "face"}\n'

# (name, core.py, what is left of it in a copy that has no other module)
ROWS = [
    ("what a room would say better", """
def face(value):
    try:
        from .absent import known
    except ImportError:  # a copy without it
        said = value
        return said
    return known(value)
""", """
def face(value):
    said = value
    return said
"""),
    ("a fall-back that goes on", """
def face(value):
    try:
        from .absent import known
    except ImportError:
        kind = ""
    else:
        kind = known(value)
    return kind
""", """
def face(value):
    kind = ""
    return kind
"""),
    ("a fall-back that does nothing", """
def face(value):
    # They ask it first.
    try:
        from .absent import known

        value = known(value)
    except ImportError:
        pass

    return value
""", """
def face(value):

    return value
"""),
    ("nothing in its place", """
from contextlib import suppress


def face(value):
    with suppress(ImportError):  # a copy without it
        from .absent import known

        value = known(value)
    return value
""", """

def face(value):
    return value
"""),
    ("a block must hold something", """
from contextlib import suppress


def face(value):
    if value.asked():
        with suppress(ImportError):
            from .absent import known

            known(value)
    return value
""", """

def face(value):
    if value.asked():
        pass
    return value
"""),
    ("a question that nothing follows", """
from contextlib import suppress


def face(value):
    if isinstance(value, str):
        value = value.strip()
    elif value is None:
        with suppress(ImportError):
            from .absent import known

            known(value)
    # Rare.
    if not isinstance(value, str):
        with suppress(ImportError):
            from .absent import known

            known(value)
    return value
""", """

def face(value):
    if isinstance(value, str):
        value = value.strip()
    return value
"""),
    ("a question that nothing follows, in a block of its own", """
from contextlib import suppress


def face(value):
    if value.asked():
        return 1
    else:
        if value:
            with suppress(ImportError):
                from .absent import known

                known(value)
    return value
""", """

def face(value):
    if value.asked():
        return 1
    else:
        pass
    return value
"""),
    ("a method that says that it is not here", """
from .optional import optional


def face(value):
    \"\"\"Says so.\"\"\"
    with optional("feature"):
        from .absent import known

    return known(value)
""", """
from .optional import left_out


def face(*_: Any, **__: Any) -> Any:
    raise left_out("feature")
"""),
    ("one of two features", """
from .optional import optional


def face(value):
    if value:
        with optional("feature"):
            from .absent import known
        return known(value)
    with optional("another"):
        import json
    return json
""", """
from .optional import left_out, optional


def face(value):
    if value:
        raise left_out("feature")
    with optional("another"):
        import json
    return json
"""),
    ("a fall-back within a loop, with a try of its own", """
def face(values):
    for value in values:
        try:
            from .absent import known
        except ImportError:
            try:
                yield int(value)
            except ValueError:
                continue
        yield known(value)
""", """
def face(values):
    for value in values:
        try:
            yield int(value)
        except ValueError:
            continue
        yield known(value)
"""),
    ("a fall-back that always gives something back", """
def face(value):
    try:
        from .absent import known
    except ImportError:
        if value:
            return 0
        else:
            try:
                return int(value)
            except ValueError:
                return None
    return known(value)
""", """
def face(value):
    if value:
        return 0
    else:
        try:
            return int(value)
        except ValueError:
            return None
"""),
    ("an error that is handed on stays", """
def face(value):
    try:
        from .absent import known
    except ImportError:
        if value:
            raise
    return value
""", None),
    ("the name of the error stays", """
def face(value):
    try:
        from .absent import known
    except ImportError as error:
        return str(error)
    return known
""", None),
    ("another's package stays", """
def face(value):
    try:
        import certifi
    except ImportError:
        return value
    return certifi
""", None),
    ("for type checkers alone", """
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .absent import Known


def face(value: Known) -> Any:
    pass
""", """
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    Known = Any


def face(value: Known) -> Any:
    pass
"""),
    ("for type checkers alone, of whom nothing else is said", """
if TYPE_CHECKING:
    from .absent import Known, known


def face(value: Known) -> known:
    pass
""", """
if TYPE_CHECKING:
    from typing import Any

    Known = Any
    known = Any


def face(value: Known) -> known:
    pass
"""),
    ("who is used by none", """
import json
import re

# What is counted.
_COUNT = 1
_OTHER = 2


def _used(text):
    return re.sub("a", str(_OTHER), text)


def helper(text):
    return json.loads(text) + _COUNT + helper(text)


def face(value):
    try:
        from .absent import known
    except ImportError:
        return _used(value)
    return helper(known)
""", """
import re

_OTHER = 2


def _used(text):
    return re.sub("a", str(_OTHER), text)


def face(value):
    return _used(value)
"""),
    ("methods: an idle one of its own goes, people's stay, and so does what is asked for by name", """
class face:
    def told(self):
        return getattr(self, "_by_name")()

    @property
    def _idle(self):
        return self._idle

    def _by_name(self):
        with optional("feature"):
            from .absent import known
        return known
""", """
class face:
    def told(self):
        return getattr(self, "_by_name")()

    def _by_name(self, *_: Any, **__: Any) -> Any:
        raise left_out("feature")
"""),
    ("one of several imports", """
from typing import Any, List


def face(value: List[int]) -> None:
    if value:
        with optional("feature"):
            from .absent import known

        found: Any = known
""", """
from typing import List


def face(value: List[int]) -> None:
    if value:
        raise left_out("feature")
"""),
]  # fmt: skip


LOWER = "def one():\n    pass\n\n\ndef two():\n    pass\n\n\ndef three():\n    pass\n"


def package(folder, **modules):
    for name, text in {"__init__": FACE, "absent": "known = Known = abs\n", **modules}.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("before, after", [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_what_is_left(before, after, tmp_path):
    """The fall-back without its seam, and only what is used."""
    root = package(tmp_path, core=before)
    assert trimmed(root, ["core.py", "__init__.py"])["core.py"] == (before if after is None else after)


@pytest.mark.parametrize("before", [row[1] for row in ROWS], ids=[row[0] for row in ROWS])
def test_where_nothing_was_left_out_nothing_is_taken_out(before, tmp_path):
    """Not even what nobody uses: whoever has everything may look for it."""
    root = package(tmp_path, core=before)
    paths = ["absent.py", "core.py", "__init__.py"]
    assert trimmed(root, paths) == {path: (root / path).read_text(encoding="utf-8") for path in paths}


def test_what_another_module_of_the_copy_uses_stays(tmp_path):
    """By import, and through the module."""
    core = "from . import lower\nfrom .lower import one\n\n\ndef face():\n    from .absent import known\n\n    one(lower.two)\n"
    left = trimmed(package(tmp_path, core=core, lower=LOWER), ["lower.py", "core.py", "__init__.py"])
    assert left["lower.py"] == LOWER[: LOWER.index("\n\n\ndef three")] + "\n"
    assert left["core.py"] == core


def test_what_a_module_hands_on_stays(tmp_path):
    """It is imported there for others to take, by name or through the module."""
    middle = "from .lower import one, three, two\n"
    core = "from . import middle\nfrom .middle import one\n\n\ndef face():\n    one(middle.two)\n    from .absent import known\n"
    paths = ["lower.py", "middle.py", "core.py", "__init__.py"]
    left = trimmed(package(tmp_path, core=core, middle=middle, lower=LOWER), paths)
    assert left["middle.py"] == "from .lower import one, two\n"
    assert "three" not in left["lower.py"] and "two" in left["lower.py"]


def test_a_small_copy_of_the_package_is_smaller_than_its_modules():
    """And every module of it can be compiled."""
    paths = closure(forms.SOURCE)
    left = trimmed(forms.SOURCE, paths)
    for path, text in left.items():
        compile(text, path, "exec")
    assert list(left) == paths
    assert sum(map(len, left.values())) < sum((forms.SOURCE / path).stat().st_size for path in paths)
