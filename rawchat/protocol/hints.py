"""Knows the mistakes that nearly everybody makes once, and says the cure. One row of `HINTS` for each.

    400 {"error": {"message": "Unsupported parameter: 'max_tokens' ...", "param": "max_tokens", ...}}
      -> This model counts its thinking, too: send max_completion_tokens in place of max_tokens.

The first row that applies speaks, so special ones stand above general ones; a row that does not recognise the mistake
is silent. Does not judge whether a failure is worth another attempt (that is `status`, which asks `explained` for the
words about it). Pure.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Dict, NamedTuple, Optional, Tuple

from .problem import Said
from .redact import short


class Kind(NamedTuple):
    words: str
    status: int  # the plainest of this kind


KINDS: Dict[str, Kind] = {
    "ok": Kind("ok", 200),
    "redirect": Kind("redirect", 302),
    "bad_request": Kind("bad request", 400),
    "auth": Kind("bad key", 401),
    "quota": Kind("quota exhausted", 402),
    "permission": Kind("not permitted", 403),
    "not_found": Kind("not found", 404),
    "conflict": Kind("conflict", 409),
    "unprocessable": Kind("invalid parameters", 422),
    "rate_limit": Kind("rate limit", 429),
    "server": Kind("server error", 500),
    "overloaded": Kind("overloaded", 503),
    "timeout": Kind("timeout at the server", 504),
    "invalid_response": Kind("no final answer", 0),
    "stream_error": Kind("error in the answer", 0),
}


class Mistake(NamedTuple):
    """What the server said, in lower case; "" where it said nothing. `status` is that of HTTP, or the nearest to it."""

    status: int
    code: str
    type: str
    param: str
    message: str
    url: str

    def says(self, *words: str) -> bool:
        """Whether the message holds one of `words`."""
        return any(word in self.message for word in words)

    def is_called(self, *names: str) -> bool:
        """Whether the error's code or type is one of `names`."""
        return self.code in names or self.type in names

    def names(self, *parameters: str) -> bool:
        """Whether the error is about one of `parameters`: by its `param`, or quoted in its message."""
        return self.param in parameters or any(f"'{name}'" in self.message for name in parameters)


class Hint(NamedTuple):
    """A mistake that can be recognised, and one or two sentences about what to do."""

    name: str
    applies: Callable[[Mistake], bool]
    cure: str


# What a reasoning model takes at its default only (platform docs, "Reasoning models": unsupported parameters).
_SAMPLING = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "logit_bias")
_NO_MONEY = (
    "insufficient_quota",
    "billing_hard_limit_reached",
    "billing_not_active",
    "insufficient_balance",
    "exceeded_current_quota_error",
)
_UNSUPPORTED = ("unsupported", "not supported", "does not support", "only the default")
# A 404 of the web framework, not of the API: FastAPI, Go's net/http (Ollama), Azure's gateway, an empty body.
_BARE_404 = ("", "not found", "404 page not found", "404 not found", "resource not found")
_TWICE = re.compile(r"/chat/completions/+chat/completions|/v1/+v1/")


def _endpoint_twice(case: Mistake) -> bool:
    return case.status in (404, 405) and bool(_TWICE.search(case.url) or _TWICE.search(case.message))


def _wrong_path(case: Mistake) -> bool:
    # LM Studio answers an unknown path with a 200 and this sentence; OpenAI itself says "Invalid URL (POST /chat/...)".
    if case.says("unexpected endpoint", "invalid url (", "unknown request url"):
        return True
    return case.status == 404 and case.code in ("", "404") and case.message in _BARE_404


def _unknown_model(case: Mistake) -> bool:
    if case.is_called("model_not_found", "invalid_model"):
        return True
    absent = case.says("does not exist", "not found", "no such model", "not a valid model", "unknown model")
    return case.status in (400, 404) and "model" in case.message and absent


def _too_long(case: Mistake) -> bool:
    if case.is_called("context_length_exceeded", "exceed_context_size_error"):
        return True
    words = ("context length", "context size", "context window", "prompt is too long", "input is too long")
    return case.status in (400, 413, 422, 500) and case.says(*words)


def _bad_key(case: Mistake) -> bool:
    # xAI answers a wrong key with 400, hence the words beside the status.
    return case.status == 401 or case.is_called("invalid_api_key") or case.says("incorrect api key", "invalid api key")


HINTS: Tuple[Hint, ...] = (
    Hint(
        "redirect",
        lambda case: 300 <= case.status < 400,
        "Redirects are not followed, so that the key goes nowhere unasked. "
        "If you trust the target, make it your base_url.",
    ),
    Hint(
        "endpoint twice",
        _endpoint_twice,
        "base_url holds the endpoint already, so it is in the path twice. "
        "End base_url before /chat/completions, usually with /v1.",
    ),
    Hint(
        "Azure deployment",
        lambda case: (
            case.is_called("deploymentnotfound") or case.says("api deployment for this resource does not exist")
        ),
        "On Azure the name in the URL is that of your deployment, not of the model. Compare it with the portal; "
        "a new deployment takes some minutes to appear.",
    ),
    Hint(
        "max_tokens with a reasoning model",
        lambda case: case.names("max_tokens") and case.says("max_completion_tokens", *_UNSUPPORTED),
        "This model counts its thinking, too: send max_completion_tokens in place of max_tokens.",
    ),
    Hint(
        "sampling with a reasoning model",
        lambda case: case.names(*_SAMPLING) and case.says(*_UNSUPPORTED),
        "Reasoning models take temperature, top_p, penalties and logprobs at their defaults only: leave it out.",
    ),
    Hint(
        "system role with a reasoning model",
        lambda case: case.says("'system'") and case.says("role") and case.says(*_UNSUPPORTED),
        "This model takes no system message: use the role developer, or put the words into the first user message.",
    ),
    Hint(
        "stream_options",
        lambda case: "stream_options" in case.param or case.says("stream_options", "include_usage"),
        "This server does not take stream_options: leave it out. The stream then tells no token counts.",
    ),
    Hint(
        "JSON mode without the word",
        lambda case: case.says("must contain the word 'json'", 'must contain the word "json"'),
        "JSON mode wants the word JSON in a message: say that the answer is to be JSON, and with which keys.",
    ),
    Hint(
        "schema",
        lambda case: case.is_called("invalid_json_schema") or case.says("invalid schema for"),
        "A strict schema needs additionalProperties: false on every object, and every property listed under required.",
    ),
    Hint(
        "tool answer without its call",
        lambda case: case.says("role 'tool' must be", "tool_call_id not found", "tool message must follow"),
        "A tool message must come right after the assistant message whose tool_calls it answers. "
        "Keep both when history is trimmed, with the same tool_call_id.",
    ),
    Hint(
        "tool call without its answer",
        lambda case: case.says("'tool_calls' must be followed", "tool_call_ids did not have response"),
        "Every id in an assistant message's tool_calls needs one tool message right behind it.",
    ),
    Hint(
        "request above the limit",
        # 413 at Groq, 429 at OpenAI: the tokens of this one request are more than a whole minute allows.
        lambda case: case.status in (413, 429) and case.says("request too large", "requested tokens exceed"),
        "This one request is larger than the limit for a whole minute, so waiting does not help: "
        "send less text, ask for fewer tokens, or raise the limit.",
    ),
    Hint(
        "context too long",
        _too_long,
        "Messages and answer together do not fit the model's context: shorten or drop early messages, "
        "lower the token limit of the answer, or take a model with a larger context.",
    ),
    Hint(
        "answer limit too large",
        lambda case: case.says("max_tokens is too large", "max_completion_tokens is too large"),
        "The model cannot give that many tokens in one answer: lower the limit to the figure that the message names.",
    ),
    Hint(
        "not a chat model",
        lambda case: case.says("not a chat model", "only supported in v1/responses", "does not support chat"),
        "This model is not served on /chat/completions: take a chat model, or the endpoint that the message names.",
    ),
    Hint(
        "Ollama model",
        lambda case: case.status == 404 and case.says("try pulling it", "ollama pull"),
        "The model is not on this machine yet: run `ollama pull` with its name; `ollama list` shows what is there.",
    ),
    Hint(
        "unknown model",
        _unknown_model,
        "Look for a typing error, and at the list of /models for what this server and key may use. "
        "With Ollama, `ollama pull` fetches a model first.",
    ),
    Hint(
        "content filter",
        lambda case: case.is_called("content_filter", "content_policy_violation"),
        "The provider's content filter stopped the prompt: reword it. The error's body says which category was found.",
    ),
    Hint(
        "region",
        lambda case: (
            case.is_called("unsupported_country_region_territory")
            or case.says("country, region, or territory", "location is not supported")
        ),
        "The provider does not serve the country that your address belongs to; a proxy or VPN may place you elsewhere.",
    ),
    Hint(
        "no key sent",
        lambda case: (
            case.status in (400, 401, 403)
            and case.says(
                "didn't provide an api key", "no api key", "missing api key", "missing authentication", "no auth cred"
            )
        ),
        "No key reached the server: set OPENAI_API_KEY or pass api_key=..., and on Azure use Client.azure(...).",
    ),
    Hint(
        "quota",
        lambda case: case.status == 402 or case.is_called(*_NO_MONEY),
        "The account has no credit left, and waiting does not bring it back: look at its billing page, "
        "and whether the key belongs to the account or project that you mean.",
    ),
    Hint(
        "budget of a proxy",
        lambda case: case.is_called("budget_exceeded") or case.says("budget has been exceeded"),
        "The budget of this key at the proxy is spent: its administrator can raise it, or the next period renews it.",
    ),
    Hint(
        "wrong key",
        _bad_key,
        "The server does not accept the key: look whether it is whole, still valid, and one for this base_url.",
    ),
    Hint(
        "website",
        # Not for 5xx: there the page is the proxy's own error page, and the address is right.
        lambda case: case.message.startswith("html page") and case.status < 500 and case.status != 429,
        "What answered is a website (a login page, a captive portal, a bot check), not an API: "
        "compare base_url with the provider's documentation. It usually ends in /v1.",
    ),
    Hint(
        "permission",
        lambda case: case.status == 403 and case.says("permission", "scope", "not allowed", "access", "not authorized"),
        "The key is known, but may not do this: look at the key's permissions, its project, and who may use the model.",
    ),
    Hint(
        "path without /v1",
        _wrong_path,
        "The server has no such path: base_url usually ends in /v1, without /chat/completions.",
    ),
    Hint(
        "model loading",
        lambda case: case.status == 503 and case.says("loading"),
        "The server is still loading the model, which may take minutes: allow more retries, or wait until it is ready.",
    ),
    Hint(
        "unknown parameter",
        lambda case: (
            case.status in (400, 422)
            and case.says(
                "extra inputs are not permitted", "unknown parameter", "unrecognized request argument", "extra fields"
            )
        ),
        "This server does not know a parameter that was sent: leave out the one that the message names.",
    ),
)


def hint_for(
    status: int,
    code: Optional[str] = None,
    type: Optional[str] = None,
    param: Optional[str] = None,
    message: str = "",
    url: str = "",
) -> str:
    """The cure for a recognisable mistake, in one or two sentences, or "".

    `message` is what the server said, without status and phrase; `url` is the address of the request, if known.
    """
    words = [(word or "").lower() for word in (code, type, param, message, url)]
    case = Mistake(status, *words)
    for hint in HINTS:
        if hint.applies(case):
            return hint.cure
    return ""


def explained(
    message: str, said: Said, status: int, meant: int, kind: str, retry: bool, wish: str, final: str, url: str
) -> Tuple[str, str, str]:
    """The message, the why and the hint of a `status.Verdict`, from what status and phrase say and what was `said`."""
    words = said.message
    if kind == "redirect":
        words = words or "a redirect that names no target; check base_url"
    bare = (message.lower(), message.partition(" ")[2].lower(), f"error code: {status}")
    if words and (status == 200 or words.rstrip(".").lower() not in bare):
        message += f": {words}"
    why = f"{status} " if status != 200 else "200 with an error inside, "
    why += KINDS[kind].words
    if kind == "redirect":
        why += ": not followed"
    elif wish in ("true", "false"):
        why += f": the server {'asks for' if retry else 'forbids'} a retry (x-should-retry)"
    elif not retry:
        why += ": fatal" + (f", {final}" if final else "")
    return message, why, hint_for(status if status != 200 else meant or KINDS[kind].status, *said[1:], words, url)


def facts_of(verdict: Any) -> str:
    """All of a `status.Verdict` but the body, redacted, for its repr."""
    status, kind, retry, message, code, *_ = verdict
    return short(f"{status}, {kind!r}, retry={retry}, message={message!r}, code={code!r}", longest=600)


def figure(seconds: float) -> str:
    if seconds < 1000:
        return f"{seconds:.4g}"
    return "countless" if seconds == float("inf") else f"{seconds:.0f}"
