"""Exact token counts, where tiktoken is installed and its vocabulary is on this disk.

    count_tokens("How many tokens is this?")                                          6
    count_tokens([{"role": "user", "content": "Hello"}], model="gpt-4o-mini")         8

tiktoken itself downloads a vocabulary that it does not find, and so hangs or fails where there is no network. Here
nothing is ever downloaded: the file is looked for where tiktoken would look, and inside two packages whose wheels carry
it; checked by its SHA-256, for the folder may be one that anybody can write to; and handed to tiktoken as data.

For text that needs no exactness, estimate_tokens (protocol/tokens.py) needs nothing of this.
"""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Dict, Iterator, NamedTuple, Optional

from .protocol import tokens
from .protocol.errors import PayloadError
from .settings import from_environment

if TYPE_CHECKING:
    from .protocol.payload import Messages


class Vocabulary(NamedTuple):
    """`file_name` is what tiktoken calls the file on disk: the SHA-1 of the address it would fetch it from."""

    file_name: str
    sha256: str
    pattern: str  # how a text is cut before its pieces are looked up; the reference is tiktoken's openai_public.py


_WORD_END = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"

VOCABULARIES: Dict[str, Vocabulary] = {
    "o200k_base": Vocabulary(
        "fb374d419588a4632f3f557e76b4b70aebbca790",
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
        rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_WORD_END}|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_WORD_END}"
        r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    ),
    "cl100k_base": Vocabulary(
        "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
        r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    ),
}
# Package -> the folder in it that holds vocabularies.
_CARRIERS = {
    "llama_index": ("core", "_static", "tiktoken_cache"),
    "litellm": ("litellm_core_utils", "tokenizers"),
}


def count_tokens(text_or_messages: Messages, model: str = "gpt-4o") -> int:
    """How many tokens a text, or a list of messages with what surrounds them, has for `model`.

    Exact for text, and for messages of text; of a tool call all but the frame around it. `model` may also be a
    vocabulary, "o200k_base" or "cl100k_base". Raises PayloadError, which says what to do, where tiktoken or the
    vocabulary is missing, where the model's vocabulary is not known, and for images, audio and files.
    """
    name = tokens.vocabulary_of(model)
    if name is None:
        cure = 'name a vocabulary instead, as in model="o200k_base", or use estimate_tokens'
        raise PayloadError(f"which vocabulary {model!r} uses is not known: {cure}", path="model")
    # Text counts as text, also where it spells a special token such as <|endoftext|>: so the server reads messages.
    return tokens.count_tokens(text_or_messages, _encoding(name).encode_ordinary)


@cache  # building one takes longer than counting a book
def _encoding(name: str) -> Any:
    try:
        tiktoken: Any = import_module("tiktoken")  # when first needed: few have it
    except ImportError as error:
        cure = "pip install tiktoken, or use estimate_tokens, which needs nothing"
        raise PayloadError(f"exact counts need tiktoken, and it cannot be imported ({error}): {cure}") from error

    ranks = _read_ranks(_find(name))
    # A special token is needed for form's sake: none is ever made of text by encode_ordinary.
    special = {"<|endoftext|>": max(ranks.values()) + 1}
    return tiktoken.Encoding(name, pat_str=VOCABULARIES[name].pattern, mergeable_ranks=ranks, special_tokens=special)


def _find(name: str) -> bytes:
    """The vocabulary's file, whole and as published. Raises PayloadError that says how to get it."""
    import hashlib

    file_name, sha256, _ = VOCABULARIES[name]
    damaged = ""
    for folder in _folders():
        data = _read(os.path.join(folder, file_name))
        if data is not None and hashlib.sha256(data).hexdigest() == sha256:
            return data
        if data is not None:
            damaged = f" ({os.path.join(folder, file_name)} is there, and is not what was published)"
    raise PayloadError(
        f"the vocabulary {name} is not on this disk{damaged}, and nothing is downloaded here. Where there is a "
        f'network, run: python -c "import tiktoken; tiktoken.get_encoding({name!r})". Elsewhere, copy the file '
        f"{file_name} from such a machine's TIKTOKEN_CACHE_DIR, or out of the wheel of llama-index-core, and let "
        "TIKTOKEN_CACHE_DIR name its folder. Or use estimate_tokens, which needs nothing"
    )


def _folders() -> Iterator[str]:
    """Where tiktoken looks, then the packages that carry vocabularies. Imports none of them."""
    from importlib.util import find_spec
    from tempfile import gettempdir

    for variable in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"):
        folder = from_environment(variable)
        if folder:
            yield folder
    yield os.path.join(gettempdir(), "data-gym-cache")
    for package, inside in _CARRIERS.items():
        spec = find_spec(package)
        for place in (spec and spec.submodule_search_locations) or ():
            yield os.path.join(place, *inside)


def _read(path: str) -> Optional[bytes]:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:  # absent, or not ours to read: the next folder may have it
        return None


def _read_ranks(data: bytes) -> Dict[bytes, int]:
    """The file's lines are a token in base64, a space, and its rank."""
    from base64 import b64decode

    pairs = (line.split() for line in data.splitlines() if line)
    return {b64decode(token): int(rank) for token, rank in pairs}
