"""How many tokens a text or a conversation has: an estimate that needs no vocabulary, or a count by your encoder.

    estimate_tokens("How many tokens is this?")                       6    as in truth
    estimate_tokens([{"role": "user", "content": "Hello"}])           8    1 for Hello, 1 for user, 6 around them

Measured on texts of 150 to 700 characters (tests/test_tokens.py has them, and more): true count, estimate, ratio.

                               o200k_base     cl100k_base                               o200k_base     cl100k_base
    English                141  156  1.11  146  156  1.07    Chinese                168  193  1.15  248  285  1.15
    English, technical     128  152  1.19  130  152  1.17    Chinese, technical     131  179  1.37  201  266  1.32
    Python                 170  191  1.12  167  191  1.14    Chinese, traditional   168  150  0.89  260  222  0.85
    JavaScript             165  206  1.25  162  206  1.27    Japanese               175  175  1.00  226  229  1.01
    SQL                    119  159  1.34  119  159  1.34    Japanese, technical    149  182  1.22  211  232  1.10
    JSON, compact          140  177  1.26  139  177  1.27    Russian                148  166  1.12  240  261  1.09
    JSON, indented         158  163  1.03  160  163  1.02    Russian, technical     108  158  1.46  180  254  1.41
    digits, CSV            218  218  1.00  218  218  1.00    Hindi                  132  144  1.09  414  407  0.98
    digits, long           104  104  1.00  104  104  1.00    Hindi, technical        94  119  1.27  328  342  1.04
    digits, words between  144  147  1.02  144  147  1.02    Arabic                 130  141  1.08  297  313  1.05
    UUIDs and hashes       172  229  1.33  172  229  1.33    Arabic, technical      106  131  1.24  257  297  1.16

An estimate is good for trimming, throttling and reserving a budget, not for a bill: only `usage` is exact. It errs
upwards on purpose. Where it falls short: letters that are no words, such as ROT13 (0.6) or random ones (0.5), and a
little for Finnish with an old model (0.83). A model whose vocabulary is not known is taken for one of o200k_base, whose
size is usual today.

Holds no vocabulary and fetches none: exact.py finds one. Pure.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections import Counter
from math import ceil
from typing import Any, Callable, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sized

from .errors import PayloadError
from .payload import Messages, build_messages
from .wording import cure_for, kind_of

# ---- which vocabulary

# Vocabulary -> how the names of its models begin, as in tiktoken's own table, but without its slip: "ft:gpt-4.1" is no
# gpt-4. A vocabulary goes by its own name, too.
_VOCABULARIES = {
    "o200k_base": r"gpt-4o|chatgpt-4o|gpt-4\.1|gpt-4\.5|gpt-5|gpt-oss|o[134](?![a-z0-9])|o200k_base$",
    "cl100k_base": r"gpt-4(?![\w.])|gpt-3\.?5|text-embedding-(3|ada-002)|cl100k_base$",
}
_ROUTE = r"(ft:)?(.*/)?(openai\.)?"  # "openrouter/openai/gpt-4o", and Bedrock's "openai.gpt-oss-20b-1:0"


def vocabulary_of(model: str) -> Optional[str]:
    """The name of the vocabulary that `model` is known to use, such as "o200k_base"; None where that is not known."""
    for vocabulary, names in _VOCABULARIES.items():
        if re.match(f"{_ROUTE}({names})", model.strip().lower()):
            return vocabulary
    return None


# ---- text

# What the vocabularies split a text into, with the most letters that one token usually holds; a single space belongs
# to the word behind it. Each match is a token. A pattern as text: `re` compiles and keeps it when it is first needed.
_ASCII = r"""
    '[a-z]{1,2}(?![a-z])                          # the end of don't, we'll
  | [A-Z]?[a-z\xdf-\u024f\u1e00-\u1eff]{1,6}      # words, and the humps of camelCase
  | [A-Z]{1,4} | (?<=[A-Za-z])(?=[0-9])           # an id like f47ac10b, base64: short pieces between the digits
  | [ ](?=[0-9]) | [0-9]{1,3}                     # a number does not swallow the space before it
  | ([!-/:-@\[-`{-~ ])\1{3,63}                    # ------------
  | [!-/:-@\[-`{-~]{1,2}[\r\n]*                   # ": and ), with the end of the line
  | [ \t]{0,64}[\r\n]{1,16} | [ \t]{2,64}
"""
_NOT_ASCII = "[^\x00-\x7f]+"

# (first character, tokens per character in o200k_base, in cl100k_base), each up to the next row. Measured on the texts
# above and on the catalogues of a web framework in 32 languages; where those differ, nearer to the higher figure.
_SCRIPTS = (
    (0x0000, 1.0, 1.0),  # signs of Latin-1
    (0x00C0, 1.0, 1.8),  # Latin, what an accent costs besides its word
    (0x0370, 0.47, 1.12),  # Greek
    (0x0400, 0.36, 0.6),  # Cyrillic
    (0x0530, 0.43, 2.1),  # Armenian
    (0x0590, 0.48, 1.22),  # Hebrew
    (0x0600, 0.42, 0.98),  # Arabic
    (0x0900, 0.43, 1.27),  # Devanagari
    (0x0980, 0.52, 1.7),  # Bengali to Tamil
    (0x0C00, 0.57, 2.05),  # Telugu to Sinhala
    (0x0E00, 0.45, 1.0),  # Thai
    (0x0E80, 0.7, 1.8),  # Lao, Tibetan, Burmese
    (0x10A0, 0.43, 2.1),  # Georgian
    (0x1100, 1.5, 2.5),  # rarer scripts
    (0x1780, 0.65, 1.65),  # Khmer
    (0x1800, 1.5, 2.5),  # rarer scripts
    (0x1E00, 0.2, 1.0),  # Vietnamese
    (0x2000, 1.0, 1.0),  # dashes, quotes, arrows, signs
    (0x2500, 0.6, 0.6),  # boxes
    (0x25A0, 1.5, 2.0),  # shapes and signs
    (0x2E80, 0.85, 1.0),  # punctuation of Chinese and Japanese
    (0x3040, 0.78, 0.95),  # kana
    (0x3100, 0.95, 1.44),  # Chinese characters
    (0xA000, 2.0, 2.5),  # rarer scripts
    (0xAC00, 0.78, 1.3),  # Korean
    (0xD7B0, 1.0, 1.5),  # rarer signs
    (0xFF00, 0.85, 1.0),  # wide forms
    (0x10000, 1.7, 2.6),  # emoji, rarer signs
    (0x20000, 3.0, 4.0),  # rare Chinese characters
)
_STARTS = [row[0] for row in _SCRIPTS]


def _estimate(text: str, *, old: bool) -> int:
    tokens = float(len(re.findall(_ASCII, text, re.VERBOSE)))
    if not text.isascii():
        # Counted by distinct character: a text has few of them, and then Python's own loop does the work.
        for character, count in Counter("".join(re.findall(_NOT_ASCII, text))).items():
            _, o200k, cl100k = _SCRIPTS[bisect_right(_STARTS, ord(character)) - 1]
            tokens += count * (cl100k if old else o200k)
    return ceil(tokens)


# ---- messages

# OpenAI cookbook, "How to count tokens with tiktoken": each message has its role, its content and 3 more, a name costs
# 1 besides itself, and 3 begin the reply.
_PER_MESSAGE, _PER_NAME, _REPLY = 3, 1, 3
_PER_TOOL_CALL = 8  # a guess: the addressee and the frame around name and arguments are not published
# The cookbook's figures for tool definitions and gpt-4o: the server writes them down shorter than their JSON is.
_PER_TOOL, _PER_PROPERTY, _PER_ENUM_VALUE, _TOOLS_END = 7, 3, 3, 12
# (what the model's name has in it, tokens of an image with detail "low", else of one of 1024 x 1024 pixels). API page
# "Images and vision": a base and 4 tiles (85 + 4 * 170), or 1,024 patches times the model's factor, 1.72 and 2.46 at
# most. The size of an image behind a URL is not known, so this figure stands for any.
_IMAGES = (("gpt-4o-mini", 2833, 25501), ("-mini", 1762, 1762), ("-nano", 2520, 2520), ("", 85, 765))


def _image(part: Mapping[str, Any], model: str) -> int:
    low, high = next(figures for name, *figures in _IMAGES if name in model.lower())
    return low if _within(part, "image_url").get("detail") == "low" else high


def _audio(part: Mapping[str, Any], model: str) -> int:
    """API page "Realtime costs": a token for each 100 ms of what a user says.

    That is at least 4,000 characters of base64 where samples of 16 bits come at 16 kHz, and 1,000 at 64 kbit/s.
    """
    audio = _within(part, "input_audio")
    return ceil(len(str(audio.get("data", ""))) / (4_000 if audio.get("format") == "wav" else 1_000))


def _within(outer: Any, name: str) -> Mapping[str, Any]:
    """The mapping that `outer` has under `name`, or an empty one."""
    inner = outer.get(name) if isinstance(outer, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}


# Type of a content part that is no text -> its tokens.
_PARTS: Dict[str, Callable[[Mapping[str, Any], str], int]] = {
    "image_url": _image,
    "input_audio": _audio,
    "file": lambda part, model: 2_000,  # a guess: two pages, each as text and as an image; a file_id does not tell
    "": lambda part, model: 1_000,  # any other; a guess
}


def _refuse_part(part: Mapping[str, Any], path: str) -> int:
    what = f"{path} is of type {part.get('type')!r}, whose tokens no vocabulary tells"
    raise PayloadError(f"{what}: leave it out, use estimate_tokens, or read prompt_tokens in the answer", path=path)


class _Measure(NamedTuple):
    """A way to count: the tokens of a text; and of a part that is none, by the part and its path."""

    text: Callable[[str], int]
    part: Callable[[Mapping[str, Any], str], int]


def _tokens(text_or_messages: Messages, measure: _Measure) -> int:
    if isinstance(text_or_messages, str):
        return measure.text(text_or_messages)
    messages = build_messages(text_or_messages)
    return _REPLY + sum(_message_tokens(message, f"messages[{i}]", measure) for i, message in enumerate(messages))


def _message_tokens(message: Mapping[str, Any], path: str, measure: _Measure) -> int:
    tokens = _PER_MESSAGE + measure.text(str(message.get("role", "")))
    tokens += _content_tokens(message.get("content"), f"{path}.content", measure)
    tokens += measure.text(str(message.get("refusal") or ""))
    if message.get("name"):
        tokens += _PER_NAME + measure.text(str(message["name"]))
    calls = [*(message.get("tool_calls") or ()), {"function": message.get("function_call")}]
    return tokens + sum(_call_tokens(call, measure) for call in calls)


def _content_tokens(content: Any, path: str, measure: _Measure) -> int:
    """Of a text, or of a list of parts. A part of any type that has a text counts as that text."""
    if content is None or isinstance(content, str):
        return measure.text(content or "")
    if isinstance(content, Mapping) or not isinstance(content, Iterable):
        raise PayloadError(f"{path} must be a text or a list, got {kind_of(content)}{cure_for(content)}", path=path)
    tokens = 0
    for index, part in enumerate(content):
        part = {"text": part} if isinstance(part, str) else part
        if not isinstance(part, Mapping):
            raise PayloadError(f"{path}[{index}] must be a dict, got {kind_of(part)}{cure_for(part)}", path=path)
        text = part.get("text", part.get("refusal"))
        tokens += measure.text(text) if isinstance(text, str) else measure.part(part, f"{path}[{index}]")
    return tokens


def _call_tokens(call: Any, measure: _Measure) -> int:
    called = _within(call, "function") or _within(call, "custom")
    if not called:
        return 0
    given = called.get("arguments", called.get("input"))
    text = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
    return _PER_TOOL_CALL + measure.text(str(called.get("name"))) + measure.text(text)


def _tools_tokens(tools: List[Mapping[str, Any]], text: Callable[[str], int]) -> int:
    tokens = _TOOLS_END * bool(tools)
    for tool in tools:
        told = _within(tool, "function") or _within(tool, "custom") or tool
        tokens += _PER_TOOL + text(f"{told.get('name')}:{told.get('description', '')}")
        tokens += _schema_tokens("", told.get("parameters") or told.get("format"), text)
    return tokens


def _schema_tokens(name: str, schema: Any, text: Callable[[str], int]) -> int:
    """Of a JSON schema: its name, type and description, the values of its enum, and the schemas inside it."""
    if not isinstance(schema, Mapping):
        return 0
    tokens = _PER_PROPERTY + text(f"{name}:{schema.get('type', '')}:{schema.get('description', '')}")
    tokens += sum(_PER_ENUM_VALUE + text(str(value)) for value in schema.get("enum") or ())
    for inside in ("properties", "$defs"):
        tokens += sum(_schema_tokens(key, value, text) for key, value in (schema.get(inside) or {}).items())
    return tokens + sum(_schema_tokens("", one, text) for one in (schema.get("items"), *(schema.get("anyOf") or ())))


# ---- the two that are called


def estimate_tokens(
    text_or_messages: Messages, model: str = "gpt-4o", *, tools: Optional[Iterable[Mapping[str, Any]]] = None
) -> int:
    """About how many tokens a text, or a list of messages with what surrounds them, has for `model`.

    `tools` are tool definitions, as in a request. An image counts as one of 1024 x 1024 pixels. Takes time in
    proportion to the text, 0.05 to 0.2 s for a million characters. Raises PayloadError for what is no message.
    """
    old = vocabulary_of(model) == "cl100k_base"
    measure = _Measure(
        lambda text: _estimate(text, old=old),
        lambda part, path: _PARTS.get(str(part.get("type")), _PARTS[""])(part, model),
    )
    return _tokens(text_or_messages, measure) + _tools_tokens(list(tools or ()), measure.text)


def count_tokens(text_or_messages: Messages, encode: Callable[[str], Sized]) -> int:
    """The tokens that `encode` (text -> tokens) makes of a text, or of messages by the cookbook's rule.

    Exact for text, and for messages of text. Of tool calls the name and the arguments are exact, the frame around them
    is not published and taken for 8 tokens. Raises PayloadError for images, audio and files.
    """
    return _tokens(text_or_messages, _Measure(lambda text: len(encode(text)), _refuse_part))
