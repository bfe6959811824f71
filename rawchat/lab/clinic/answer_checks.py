"""Checks of whole answers: the list of models, a completion, parameters, JSON modes, embeddings."""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple

from .rule import (
    MUST,
    QUIRK,
    SHOULD,
    Check,
    Evidence,
    Finding,
    about,
    anything,
    fails,
    good_status,
    ok,
    unknown,
    whole_answer,
)
from .sight import Sight, excerpt, quoted

FINISH_REASONS = ("stop", "length", "tool_calls", "content_filter", "function_call")
# What UTF-8 looks like after it was taken for Latin-1 or Windows-1252: é as Ã©, ✅ as âœ…, 🎉 as ðŸŽ‰.
MOJIBAKE = ("Ã©", "âœ", "â\x9c", "ðŸ", "ð\x9f", "æ—", "æ\x97")


def is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def kind_of(value: Any) -> str:
    names = {type(None): "null", bool: "a boolean", int: "a number", float: "a number with a point", str: "a string"}
    return names.get(type(value), "a list" if isinstance(value, list) else "an object")


# --- models


def _models(sight: Sight) -> Finding:
    document = sight.document
    if sight.status != 200:
        return fails(sight.outcome, excerpt(sight.body))
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data, list):
        return fails("no list under data", excerpt(sight.body))
    for entry in data:
        if not (isinstance(entry, dict) and isinstance(entry.get("id"), str) and entry["id"]):
            return fails("an entry without an id", excerpt(entry))
    return ok(f"{len(data)} models")


def _model_entries(sight: Sight) -> Finding:
    entries = entries_of(sight)
    if not entries:
        return unknown("no model is listed")
    wrong = [(name, entry) for entry in entries for name in ("object", "created", "owned_by") if not _fits(name, entry)]
    if sight.document.get("object") != "list":
        return fails(f"object is {quoted(sight.document.get('object'))}, not list", excerpt(sight.body))
    if wrong:
        name, entry = wrong[0]
        return fails(f"{name} is {kind_of(entry.get(name))} in {len(wrong)} places", excerpt(entry))
    return ok("object, created and owned_by as in the reference")


def entries_of(sight: Sight) -> list[Dict[str, Any]]:
    data = sight.document.get("data") if isinstance(sight.document, dict) else None
    return [entry for entry in data if isinstance(entry, dict)] if isinstance(data, list) else []


def _fits(name: str, entry: Dict[str, Any]) -> bool:
    value = entry.get(name)
    return {"object": value == "model", "created": is_number(value), "owned_by": isinstance(value, str)}[name]


def _offered(evidence: Evidence) -> Optional[Finding]:
    models = evidence.sights.get("models")
    if models is None:
        return None
    names = [str(entry.get("id")) for entry in entries_of(models)]
    if not names:
        return unknown("no model is listed")
    if evidence.model in names:
        return ok(f"{excerpt(evidence.model, 60)} is in the list")
    return fails(f"{excerpt(evidence.model, 60)} is not in the list", excerpt(", ".join(names)))


# --- a completion


def _chat(sight: Sight) -> Finding:
    if sight.status != 200:
        return fails(sight.outcome, excerpt(sight.body))
    if sight.choices and sight.message:
        return ok(sight.outcome)
    what = "no choices" if not sight.choices else "a choice without a message"
    return fails(f"a 200 with {what} in it", excerpt(sight.body) or "(an empty body)")


def _json_whole(sight: Sight) -> Finding:
    if sight.is_events:
        return fails("an event stream, though none was asked for", excerpt(sight.body))
    if sight.media_type == "application/json":
        return ok(sight.content_type)
    return fails(f"Content-Type is {sight.content_type or 'missing'}", excerpt(f"content-type: {sight.content_type}"))


def _completion_fields(sight: Sight) -> Finding:
    document = sight.document
    wanted = (
        ("object", document.get("object") == "chat.completion"),
        ("id", isinstance(document.get("id"), str) and document["id"] != ""),
        ("created", is_number(document.get("created"))),
        ("model", isinstance(document.get("model"), str) and document["model"] != ""),
    )
    wrong = [name for name, good in wanted if not good]
    if not wrong:
        return ok("id, object, created, model")
    return fails(f"{', '.join(wrong)}: missing or wrong", excerpt({name: document.get(name) for name, _ in wanted}))


def _choice_fields(sight: Sight) -> Finding:
    for place, choice in enumerate(sight.choices):
        if choice.get("index") != place:
            return fails(f"index of choice {place} is {quoted(choice.get('index'))}", excerpt(choice))
    if sight.message.get("role") != "assistant":
        return fails(f"role is {quoted(sight.message.get('role'))}", excerpt(sight.message))
    return ok("index and role")


def _content(sight: Sight) -> Finding:
    if "content" not in sight.message:
        return fails("the message has no content", excerpt(sight.message))
    content = sight.message["content"]
    if content is None or isinstance(content, str):
        return ok(f"{len(content or '')} characters")
    return fails(f"content is {kind_of(content)}", excerpt(sight.message))


def finish_of(reason: Any, where: Any) -> Finding:
    if reason in FINISH_REASONS:
        return ok(str(reason))
    if reason is None or reason == "":
        return fails("no finish_reason", excerpt(where))
    return fails(f"finish_reason is {quoted(reason)}", excerpt(where))


def _finish(sight: Sight) -> Finding:
    return finish_of(sight.choices[0].get("finish_reason"), sight.choices[0])


def usage_of(usage: Any, where: Any) -> Finding:
    """Three whole numbers that add up. xAI counts reasoning beside completion tokens: there the total is larger."""
    if not isinstance(usage, dict) or not usage:
        return fails("no usage", excerpt(where))
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    wrong = [name for name in names if not is_number(usage.get(name))]
    if wrong:
        return fails(f"{', '.join(wrong)}: no whole number", excerpt(usage))
    prompt, completion, total = (usage[name] for name in names)
    if prompt + completion != total:
        return fails(f"{prompt} + {completion} is not {total}", excerpt(usage))
    if not (prompt and completion):
        return fails("counts of 0 beside an answer", excerpt(usage))
    return ok(f"{prompt} + {completion} = {total}")


def _usage(sight: Sight) -> Finding:
    without = {name: value for name, value in sight.document.items() if name != "choices"}
    return usage_of(sight.document.get("usage"), without)


def _strays(sight: Sight) -> Finding:
    """Thoughts have names of their own at every maker; the reference has none."""
    known = {"role", "content", "refusal", "tool_calls", "function_call", "annotations", "audio", "name"}
    strange = sorted(set(sight.message) - known)
    return fails(f"{', '.join(strange)} beside content", excerpt(sight.message)) if strange else ok("none")


def damage_in(text: str) -> str:
    """What is wrong with a text that should be good UTF-8; "" where nothing is."""
    if "\ufffd" in text:
        return "U+FFFD, the mark of a lost character"
    if any(0xD800 <= ord(mark) < 0xE000 for mark in text):
        return "half of a surrogate pair"
    found = next((mark for mark in MOJIBAKE if mark in text), "")
    return f"{found!r}: UTF-8 taken for Latin-1" if found else ""


def _characters(evidence: Evidence) -> Optional[Finding]:
    """Whatever was answered: in the question stood characters of two to four bytes, and they may have come back."""
    answers = [evidence.sights[name] for name in ("chat", "no-model") if name in evidence.sights]
    answers = [sight for sight in answers if sight.body]
    if not answers:
        return None
    for sight in answers:
        text = _words_in(sight)
        damage = damage_in(text)
        if damage:
            return fails(damage, excerpt(text))
    echoed = [mark for mark in "é✅🎉日本" if any(mark in _words_in(sight) for sight in answers)]
    return ok(f"{' '.join(echoed)} came back") if echoed else unknown("none of the characters came back")


def _words_in(sight: Sight) -> str:
    return sight.answer_text or (sight.said()[1] if sight.status >= 400 else sight.text)


def _clean_json(sight: Sight) -> Finding:
    """Nothing stands before or behind the JSON but white space."""
    if sight.text.startswith("\ufeff"):
        return fails("a byte order mark before the JSON", excerpt(sight.body[:60]))
    if sight.body[:1] in (b"{", b"["):
        return ok("begins at once")
    return fails("blanks or lines before the JSON", excerpt(sight.body[:60]))


def _coding(sight: Sight) -> Finding:
    coding = sight.headers.get("content-encoding", "identity").lower()
    return ok(coding) if coding in ("identity", "gzip", "deflate", "") else fails(f"Content-Encoding is {coding}")


CHAT_API = "API reference, The chat completion object"
CREATE_API = "API reference, Create chat completion"
MODELS_API = "API reference, Models"

CHECKS: Tuple[Check, ...] = (
    Check(
        "models",
        "models",
        SHOULD,
        "GET /models lists the models, each with an id.",
        MODELS_API,
        about("models", anything, _models),
        "front ends that let people choose a model find none; here --model has to name it",
        "does base_url end in /v1? some servers answer only there",
    ),
    Check(
        "model-entries",
        "models",
        QUIRK,
        "A model has object, created as a whole number, and owned_by.",
        MODELS_API,
        about("models", good_status, _model_entries),
        "typed clients that read created as a whole number",
        "send Unix seconds",
    ),
    Check(
        "model-listed",
        "models",
        QUIRK,
        "The model that is asked for is in the list.",
        MODELS_API,
        _offered,
        "nobody, where the name is an alias; else a 404 follows",
        "take a name from the list: --model",
    ),
    Check(
        "chat",
        "chat",
        MUST,
        "A plain question is answered with 200 and choices.",
        CREATE_API,
        about("chat", anything, _chat),
        "every client",
        "is the model's name right, does base_url end in /v1?",
    ),
    Check(
        "chat-type",
        "chat",
        SHOULD,
        "A whole answer is application/json.",
        CREATE_API,
        about("chat", good_status, _json_whole),
        "clients that look at the type first; for text/html openai-python gives out a str and no object",
        "set the Content-Type; a stream only where stream is true",
    ),
    Check(
        "chat-start",
        "chat",
        QUIRK,
        "The JSON begins with the first byte.",
        "RFC 8259 section 8.1",
        about("chat", whole_answer, _clean_json),
        "requests' .json() raises on a byte order mark",
        "write UTF-8 without BOM",
    ),
    Check(
        "chat-coding",
        "chat",
        MUST,
        "The answer is compressed in no other way than was offered.",
        "RFC 9110 section 12.5.3",
        about("chat", good_status, _coding),
        "clients without that decoder",
        "honour Accept-Encoding",
    ),
    Check(
        "chat-fields",
        "chat",
        SHOULD,
        "A completion has id, object, created and model.",
        CHAT_API,
        about("chat", whole_answer, _completion_fields),
        "typed clients that want all four; logs that are joined by id",
        "send all four",
    ),
    Check(
        "chat-choice",
        "chat",
        SHOULD,
        "Choices count from index 0, and the role is assistant.",
        CHAT_API,
        about("chat", whole_answer, _choice_fields),
        "clients that sort choices by index, or send the message back as history",
        "send index and role",
    ),
    Check(
        "chat-content",
        "chat",
        MUST,
        "content is a string, or null.",
        CHAT_API,
        about("chat", whole_answer, _content),
        "programs that print or join content: TypeError on a list",
        "join the text parts before sending",
    ),
    Check(
        "chat-finish",
        "chat",
        SHOULD,
        f"finish_reason is one of {', '.join(FINISH_REASONS)}.",
        CHAT_API,
        about("chat", whole_answer, _finish),
        "typed clients with a closed list; agents that wait for stop",
        "map eos, eos_token, end_turn to stop",
    ),
    Check(
        "chat-usage",
        "chat",
        SHOULD,
        "usage has three whole numbers, and they add up.",
        CHAT_API,
        about("chat", whole_answer, _usage),
        "cost trackers count nothing, or guess",
        "count in the server; cached and reasoning tokens are parts",
    ),
    Check(
        "chat-strays",
        "chat",
        QUIRK,
        "Beside content stand no fields of the maker's own.",
        CHAT_API,
        about("chat", whole_answer, _strays),
        "nobody fails; thoughts under reasoning_content or reasoning are lost to clients that know another name",
        "good to know when thoughts are missing",
    ),
    Check(
        "characters",
        "chat",
        MUST,
        "Characters of two to four bytes come back as they were.",
        "RFC 8259 section 8.1",
        _characters,
        "everybody who does not write English",
        "UTF-8 everywhere; a charset in a database or proxy",
    ),
)
