"""Exact counts where the vocabulary is at hand, and a helpful error, never a download, where it is not."""

import base64
import hashlib
import sys
from types import SimpleNamespace

import pytest

from . import module
from .test_tokens import SAMPLES

exact = module("exact")
errors = module("protocol.errors")
count_tokens = exact.count_tokens

# A vocabulary of ten tokens, in the form of the real ones: a token in base64, its rank.
TINY = b"".join(base64.b64encode(b"%d" % i) + b" %d\n" % i for i in range(10))


class Encoding:
    """What tiktoken makes of a vocabulary, as far as this module asks: here a token is a word."""

    def __init__(self, name, *, pat_str, mergeable_ranks, special_tokens):
        assert mergeable_ranks == {b"%d" % i: i for i in range(10)}
        assert not set(special_tokens.values()) & set(mergeable_ranks.values())
        self.name = name
        self.pattern = pat_str

    def encode_ordinary(self, text):
        return text.split()


@pytest.fixture
def disk(tmp_path, monkeypatch):
    """A machine with tiktoken, and with folders for vocabularies that are still empty; any other use of it fails."""
    for variable in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(sys, "path", [str(tmp_path / "packages")])
    monkeypatch.setitem(sys.modules, "tiktoken", SimpleNamespace(Encoding=Encoding))
    for name in ("litellm", "llama_index"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    for name, row in exact.VOCABULARIES.items():
        monkeypatch.setitem(exact.VOCABULARIES, name, row._replace(sha256=hashlib.sha256(TINY).hexdigest()))
    exact._encoding.cache_clear()
    yield tmp_path
    exact._encoding.cache_clear()


def put(folder, name="o200k_base", data=TINY):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / exact.VOCABULARIES[name].file_name).write_bytes(data)


PLACES = [
    ("where TIKTOKEN_CACHE_DIR says", "mine", "TIKTOKEN_CACHE_DIR"),
    ("where DATA_GYM_CACHE_DIR says", "mine", "DATA_GYM_CACHE_DIR"),
    ("where tiktoken puts it unasked", "temporary/data-gym-cache", None),
    ("in the wheel of llama-index-core", "packages/llama_index/core/_static/tiktoken_cache", None),
    ("in the wheel of litellm", "packages/litellm/litellm_core_utils/tokenizers", None),
]


@pytest.mark.parametrize("folder, variable", [row[1:] for row in PLACES], ids=[row[0] for row in PLACES])
def test_the_vocabulary_is_found(disk, monkeypatch, folder, variable):
    """Wherever tiktoken would have it, and in packages that carry it; none of those is imported."""
    put(disk / folder)
    if variable:
        monkeypatch.setenv(variable, str(disk / folder))
    before = set(sys.modules)
    assert count_tokens("one two three") == 3
    assert not (set(sys.modules) - before) & {"litellm", "llama_index"}


def test_messages_are_counted_with_what_surrounds_them(disk):
    """3 to begin the reply, 3 for the message, its role and its text."""
    put(disk / "temporary/data-gym-cache")
    assert count_tokens([{"role": "user", "content": "one two"}], model="gpt-4o-mini") == 3 + 3 + 1 + 2


MODELS = [("gpt-4o", "o200k_base"), ("gpt-4", "cl100k_base"), ("cl100k_base", "cl100k_base")]


@pytest.mark.parametrize("model, vocabulary", MODELS, ids=[row[0] for row in MODELS])
def test_the_model_decides_on_the_vocabulary(disk, model, vocabulary):
    """The one it needs is enough; the other is not taken in its place."""
    other = ({"o200k_base", "cl100k_base"} - {vocabulary}).pop()
    put(disk / "temporary/data-gym-cache", other)
    with pytest.raises(errors.PayloadError, match=f"the vocabulary {vocabulary} is not on this disk"):
        count_tokens("one two", model)
    put(disk / "temporary/data-gym-cache", vocabulary)
    assert count_tokens("one two", model) == 2


def test_a_vocabulary_that_is_not_there_is_not_downloaded(disk):
    """The error says how to get it, by which name, and what needs none."""
    with pytest.raises(errors.PayloadError) as caught:
        count_tokens("one two")
    for part in (
        "nothing is downloaded",
        "get_encoding('o200k_base')",
        "TIKTOKEN_CACHE_DIR",
        "fb374d41",
        "estimate_tokens",
    ):
        assert part in str(caught.value)


def test_a_damaged_vocabulary_is_passed_over(disk, monkeypatch):
    """Half a file would count wrongly; the error names it, and a whole one further on is taken."""
    put(disk / "mine", data=TINY[:-5])
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(disk / "mine"))
    with pytest.raises(errors.PayloadError, match=r"mine.* is there, and is not what was published"):
        count_tokens("one two")
    assert list((disk / "mine").iterdir()) != []
    put(disk / "temporary/data-gym-cache")
    assert count_tokens("one two") == 2


def test_without_tiktoken_the_error_says_so(disk, monkeypatch):
    """With the cause, the way to get it, and the way to do without."""
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    with pytest.raises(
        errors.PayloadError, match=r"need tiktoken.*pip install tiktoken, or use estimate_tokens"
    ) as caught:
        count_tokens("one two")
    assert isinstance(caught.value.__cause__, ImportError)


def test_an_unknown_model_has_no_exact_count(disk):
    """A count by another's vocabulary would look exact and be none."""
    put(disk / "temporary/data-gym-cache")
    with pytest.raises(
        errors.PayloadError, match=r"which vocabulary 'qwen3:8b' uses is not known: .*o200k_base"
    ) as caught:
        count_tokens("one two", "qwen3:8b")
    assert caught.value.path == "model"


def test_the_vocabulary_is_read_once(disk):
    """The next count needs no file."""
    put(disk / "temporary/data-gym-cache")
    assert count_tokens("one two") == 2
    for file in (disk / "temporary/data-gym-cache").iterdir():
        file.unlink()
    assert count_tokens("one two three") == 3


@pytest.mark.parametrize("column, model", [(1, "gpt-4o"), (2, "gpt-4")], ids=["o200k_base", "cl100k_base"])
def test_real_counts_where_the_real_thing_is_there(column, model):
    """Skipped where tiktoken or its vocabulary is not installed: the true counts of the estimates' texts."""
    pytest.importorskip("tiktoken")
    exact._encoding.cache_clear()
    try:
        count_tokens("", model)
    except errors.PayloadError as error:
        pytest.skip(str(error))
    assert [count_tokens(row[3], model) for row in SAMPLES] == [row[column] for row in SAMPLES]
    assert count_tokens([{"role": "user", "content": "Hello"}], model) == 8
    assert count_tokens("<|endoftext|>", model) > 1
