"""Checks of refusals: which status a wrong request earns, and in what shape the server says what was wrong."""

from __future__ import annotations

from typing import Any, Iterator, Optional, Tuple

from .probes import WRONG_KEY
from .rule import MUST, QUIRK, SHOULD, Check, Evidence, Finding, a_head, about, fails, ok, unknown
from .sight import Sight, excerpt

REFUSED = ("wrong-key", "no-model", "no-model-stream", "bad-json", "no-messages", "bad-type", "no-path")


def _status(*wanted: int) -> Any:
    def look(sight: Sight) -> Finding:
        if sight.status in wanted:
            return ok(sight.outcome)
        named = " or ".join(map(str, wanted))
        return fails(f"{sight.status or 'nothing'} instead of {named}", excerpt(sight.body) or "(an empty body)")

    return look


def _key_status(sight: Sight) -> Finding:
    """A server that asks for no key gets as far as the model's name, which is why that name is wrong as well."""
    if sight.status in (401, 403):
        return ok(sight.outcome) if sight.status == 401 else fails("403 instead of 401", excerpt(sight.body))
    if sight.status in (404, 422) or sight.status == 200:
        return unknown(f"it seems that no key is asked for: {sight.outcome}")
    return fails(f"{sight.status} instead of 401", excerpt(sight.body) or "(an empty body)")


def _stream_status(sight: Sight) -> Finding:
    """What is wrong with a request is known before the first event, so the status can say it."""
    if sight.status >= 400:
        return ok(sight.outcome)
    errors = [chunk for chunk in sight.chunks if "error" in chunk]
    if errors:
        return fails(f"a {sight.status} with an error inside the stream", excerpt(errors[0]))
    return fails(f"{sight.status}: answered, as if there were such a model", excerpt(sight.body))


def _model_status(sight: Sight) -> Finding:
    if sight.status == 200:
        return fails("200: answered, as if there were such a model", excerpt(sight.body))
    return _status(404)(sight)  # type: ignore[no-any-return]  # a Look, made on the spot


def _refusals(evidence: Evidence) -> Iterator[Tuple[str, Sight]]:
    for name in REFUSED:
        sight = evidence.sights.get(name)
        if sight is not None and sight.status >= 400:
            yield name, sight


def _over_all(judge_one: Any, good: str) -> Any:
    """A judge of every refusal: fails where one of them does, and names them all."""

    def judge(evidence: Evidence) -> Optional[Finding]:
        if not any(name in evidence.sights for name in REFUSED):
            return None
        refused = list(_refusals(evidence))
        if not refused:
            return unknown("nothing was refused")
        flaws = [(name, sight, judge_one(sight)) for name, sight in refused]
        wrong = [(name, sight, flaw) for name, sight, flaw in flaws if flaw]
        if not wrong:
            return ok(f"{good} in {len(refused)} refusals")
        names = ", ".join(name for name, _, _ in wrong)
        return fails(f"{wrong[0][2]} ({names})", excerpt(wrong[0][1].body) or "(an empty body)")

    return judge


def _envelope(sight: Sight) -> str:
    document = sight.document
    if not isinstance(document, dict):
        return "no JSON object"
    error = document.get("error")
    if not isinstance(error, dict):
        return f"no object under error, but {', '.join(map(excerpt, list(document)[:3])) or 'nothing'}"
    message = error.get("message")
    return "" if isinstance(message, str) and message else "no message in the error"


def _fields(sight: Sight) -> str:
    error = sight.document.get("error") if isinstance(sight.document, dict) else None
    if not isinstance(error, dict):
        return ""  # the envelope's check says it
    missing = [name for name in ("type", "param", "code") if name not in error]
    if missing:
        return f"without {', '.join(missing)}"
    if not (error["code"] is None or isinstance(error["code"], str)):
        return "code is no string"
    strange = [name for name in ("type", "param", "code") if error[name] in ("None", "null")]
    return f"{', '.join(strange)} is the word None" if strange else ""


def _type(sight: Sight) -> str:
    if sight.media_type == "application/json" or not sight.body:
        return ""
    return f"Content-Type is {excerpt(sight.content_type) or 'missing'}"


def _no_secret(evidence: Evidence) -> Optional[Finding]:
    """The wrong key is the doctor's own, so it may be looked for in the open."""
    sight = evidence.sights.get("wrong-key")
    if sight is None or not sight.body:
        return None
    if WRONG_KEY in sight.text:
        return fails("the whole key stands in the error", excerpt(sight.text.replace(WRONG_KEY, "(the whole key)")))
    return ok("not repeated whole")


ERRORS = "errors"
CODES = "API guide, Error codes"
CHECKS: Tuple[Check, ...] = (
    Check(
        "wrong-key",
        ERRORS,
        SHOULD,
        "A wrong key is a 401.",
        CODES,
        about("wrong-key", a_head, _key_status),
        "clients that catch AuthenticationError; some try again on a 500",
        "xAI and LiteLLM send 400 here",
    ),
    Check(
        "key-kept",
        ERRORS,
        SHOULD,
        "An error does not repeat the key.",
        "OWASP API security",
        _no_secret,
        "logs: whoever reads the error has the key",
        "mask all but its ends",
    ),
    Check(
        "unknown-model",
        ERRORS,
        SHOULD,
        "A model that is not there is a 404.",
        CODES,
        about("no-model", a_head, _model_status),
        "a typo in the model's name goes unnoticed, or is tried again",
        "llama.cpp and others take any name",
    ),
    Check(
        "stream-refusal",
        ERRORS,
        MUST,
        "A wrong request is refused by its status, also when streaming.",
        CODES,
        about("no-model-stream", a_head, _stream_status),
        "openai-python raises in the middle of the loop, without status or request id, and does not retry",
        "check the request before the head is sent",
    ),
    Check(
        "bad-json",
        ERRORS,
        SHOULD,
        "A body that is no JSON is a 400.",
        CODES,
        about("bad-json", a_head, _status(400)),
        "clients try a 500 again: twice as many bad requests",
        "llama.cpp answers 500, FastAPI 422",
    ),
    Check(
        "no-messages",
        ERRORS,
        SHOULD,
        "A request without messages is a 400, or a 422.",
        CODES,
        about("no-messages", a_head, _status(400, 422)),
        "clients try a 500 again",
        "check the request before the model sees it",
    ),
    Check(
        "bad-type",
        ERRORS,
        SHOULD,
        "A parameter of a wrong type is a 400, or a 422.",
        CODES,
        about("bad-type", a_head, _status(400, 422)),
        "clients try a 500 again",
        "check the request before the model sees it",
    ),
    Check(
        "unknown-path",
        ERRORS,
        SHOULD,
        "A path that is not there is a 404.",
        "RFC 9110 section 15.5.5",
        about("no-path", a_head, _status(404)),
        "a wrong base_url looks like a broken answer: LM Studio sends 200 here",
        "answer 404",
    ),
    Check(
        "envelope",
        ERRORS,
        SHOULD,
        'An error is {"error": {"message": ...}}.',
        CODES,
        _over_all(_envelope, "an error object"),
        "openai-python shows `Error code: 400` and no reason",
        "FastAPI's detail, a list or a text: wrap it",
    ),
    Check(
        "error-fields",
        ERRORS,
        QUIRK,
        "An error has type, param and code, and code is a string or null.",
        CODES,
        _over_all(_fields, "type, param, code"),
        'programs that look at error.code: 429 is not "429"',
        "null where there is nothing to say",
    ),
    Check(
        "error-type",
        ERRORS,
        SHOULD,
        "An error is application/json.",
        CODES,
        _over_all(_type, "application/json"),
        "clients that parse by Content-Type show no reason",
        "a proxy's own pages are often HTML",
    ),
)
