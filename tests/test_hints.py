"""The table of usual mistakes: what servers say about each, and which row must speak."""

import json

import pytest

from . import module

hints = module("protocol.hints")
status = module("protocol.status")
errors = module("protocol.errors")

TWICE = "http://127.0.0.1:8000/v1/chat/completions/chat/completions"

# hint's name ("" for none), what was met, then the arguments of hint_for
ROWS = [
    ("redirect", "http to https", {"status": 301, "message": "redirects to https://x/v1"}),
    ("endpoint twice", "known by the URL", {"status": 404, "message": "Not Found", "url": TWICE}),
    ("endpoint twice", "known by OpenAI's text", {"status": 404, "message": "Invalid URL (POST /v1/chat/completions/chat/completions)"}),
    ("endpoint twice", "/v1 twice", {"status": 404, "url": "https://x/v1/v1/chat/completions"}),
    ("Azure deployment", "by code", {"status": 404, "code": "DeploymentNotFound", "message": "The API deployment for this resource does not exist."}),
    ("max_tokens with a reasoning model", "OpenAI", {"status": 400, "code": "unsupported_parameter", "param": "max_tokens", "message": "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."}),
    ("max_tokens with a reasoning model", "param missing", {"status": 400, "message": "'max_tokens' is not supported. Use max_completion_tokens."}),
    ("sampling with a reasoning model", "temperature, by value", {"status": 400, "code": "unsupported_value", "param": "temperature", "message": "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is supported."}),
    ("sampling with a reasoning model", "top_p, by name", {"status": 400, "code": "unsupported_parameter", "param": "top_p", "message": "Unsupported parameter: 'top_p' is not supported with this model."}),
    ("system role with a reasoning model", "o1-mini", {"status": 400, "param": "messages[0].role", "message": "Unsupported value: 'messages[0].role' does not support 'system' with this model."}),
    ("stream_options", "Mistral", {"status": 422, "param": "stream_options", "message": "stream_options: Extra inputs are not permitted"}),
    ("stream_options", "OpenAI without stream", {"status": 400, "param": "stream_options", "message": "The 'stream_options' parameter is only allowed when 'stream' is enabled."}),
    ("JSON mode without the word", "OpenAI", {"status": 400, "param": "messages", "message": "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."}),
    ("schema", "additionalProperties", {"status": 400, "param": "response_format", "message": "Invalid schema for response_format 'r': In context=(), 'additionalProperties' is required"}),
    ("tool answer without its call", "OpenAI", {"status": 400, "message": "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."}),
    ("tool call without its answer", "OpenAI", {"status": 400, "message": "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'."}),
    ("request above the limit", "Groq 413", {"status": 413, "code": "rate_limit_exceeded", "message": "Request too large for model `m` on tokens per minute (TPM): Limit 6000, Requested 9000"}),
    ("context too long", "by code", {"status": 400, "code": "context_length_exceeded", "message": "This model's maximum context length is 8192 tokens."}),
    ("context too long", "llama.cpp, by type", {"status": 400, "type": "exceed_context_size_error", "message": "the request exceeds the available context size"}),
    ("context too long", "vLLM, by words", {"status": 400, "message": "This model's maximum context length is 4096 tokens. However, you requested 5000"}),
    ("context too long", "413", {"status": 413, "message": "prompt is too long: 9 tokens > 8 maximum"}),
    ("context too long", "422", {"status": 422, "message": "Input exceeds the context window"}),
    ("answer limit too large", "OpenAI", {"status": 400, "param": "max_tokens", "message": "max_tokens is too large: 200000. This model supports at most 16384 completion tokens"}),
    ("not a chat model", "OpenAI", {"status": 404, "param": "model", "message": "This is not a chat model and thus not supported in the v1/chat/completions endpoint."}),
    ("Ollama model", "not pulled", {"status": 404, "message": "model 'x' not found, try pulling it first"}),
    ("unknown model", "OpenAI, by code", {"status": 404, "code": "model_not_found", "message": "The model `gpt-9` does not exist or you do not have access to it."}),
    ("unknown model", "vLLM, by words", {"status": 404, "code": "404", "message": "The model `x` does not exist."}),
    ("unknown model", "OpenRouter", {"status": 400, "message": "x/y is not a valid model ID"}),
    ("content filter", "Azure", {"status": 400, "code": "content_filter", "message": "The response was filtered"}),
    ("region", "OpenAI", {"status": 403, "code": "unsupported_country_region_territory", "message": "Country, region, or territory not supported"}),
    ("no key sent", "a 403", {"status": 403, "message": "Missing API key"}),
    ("no key sent", "a 400", {"status": 400, "message": "No API key found in request"}),
    ("no key sent", "OpenAI", {"status": 401, "message": "You didn't provide an API key. You need to provide your API key in an Authorization header"}),
    ("quota", "OpenAI", {"status": 429, "code": "insufficient_quota", "message": "You exceeded your current quota"}),
    ("quota", "402", {"status": 402, "message": "Insufficient Balance"}),
    ("budget of a proxy", "LiteLLM", {"status": 400, "type": "budget_exceeded", "message": "Budget has been exceeded! Current cost: 2"}),
    ("wrong key", "OpenAI", {"status": 401, "code": "invalid_api_key", "message": "Incorrect API key provided"}),
    ("wrong key", "401 without a word", {"status": 401}),
    ("wrong key", "xAI's 400", {"status": 400, "message": "Incorrect API key provided: xx"}),
    ("website", "bot challenge", {"status": 403, "message": 'HTML page "Just a moment..."'}),
    ("website", "a site's own 404", {"status": 404, "message": 'HTML page "Page not found"'}),
    ("permission", "OpenAI scopes", {"status": 403, "message": "You have insufficient permissions for this operation. Missing scopes: model.request"}),
    ("path without /v1", "FastAPI", {"status": 404, "message": "Not Found"}),
    ("path without /v1", "Go", {"status": 404, "message": "404 page not found"}),
    ("path without /v1", "empty body", {"status": 404, "message": ""}),
    ("path without /v1", "LM Studio's 200", {"status": 200, "message": "Unexpected endpoint or method. (POST /chat/completions)"}),
    ("path without /v1", "OpenAI", {"status": 404, "message": "Invalid URL (POST /chat/completions)"}),
    ("model loading", "llama.cpp", {"status": 503, "message": "Loading model"}),
    ("unknown parameter", "OpenAI", {"status": 400, "message": "Unrecognized request argument supplied: foo"}),
    ("unknown parameter", "Mistral", {"status": 422, "param": "seed", "message": "seed: Extra inputs are not permitted"}),
    ("", "Gemini's limit per minute that speaks of quota", {"status": 429, "type": "RESOURCE_EXHAUSTED", "message": "You exceeded your current quota, please check your plan"}),
    ("", "a plain rate limit", {"status": 429, "code": "rate_limit_exceeded", "message": "Rate limit reached for gpt-4o-mini"}),
    ("", "a proxy's own page", {"status": 502, "message": 'HTML page "502 Bad Gateway"'}),
    ("", "a busy server", {"status": 503, "message": "Busy"}),
    ("", "a library that speaks of loading", {"status": 500, "message": "error loading shared library"}),
    ("", "a rate limit as a page", {"status": 429, "message": 'HTML page "Slow down"'}),
    ("", "a proxy's page with 500", {"status": 500, "message": 'HTML page "Oops"'}),
    ("", "a multiple choice that is none", {"status": 299, "message": "ok"}),
    ("endpoint twice", "405", {"status": 405, "message": "Method Not Allowed", "url": TWICE}),
    ("", "a good address", {"status": 405, "message": "Method Not Allowed", "url": "http://h/v1/chat/completions"}),
    ("", "a server error", {"status": 500, "type": "server_error", "message": "The server had an error"}),
    ("", "an unrelated 400 about max_tokens", {"status": 400, "param": "max_tokens", "message": "max_tokens must be positive"}),
    ("", "an unrelated 404", {"status": 404, "code": "file_not_found", "message": "No such file"}),
    ("", "nothing said at all", {"status": 400}),
]  # fmt: skip


@pytest.mark.parametrize("name, met, said", ROWS, ids=[f"{row[0] or 'no hint'}: {row[1]}" for row in ROWS])
def test_a_mistake_gets_its_own_cure(name, met, said):
    """The first row that applies speaks; where no mistake is recognised, there is no hint."""
    cures = {hint.name: hint.cure for hint in hints.HINTS}
    assert hints.hint_for(**said) == (cures[name] if name else "")


def test_every_row_is_met():
    """No hint without a server that was seen to say its words, and no two with one name."""
    names = [hint.name for hint in hints.HINTS]
    assert len(set(names)) == len(names)
    assert {row[0] for row in ROWS} - {""} == set(names)


@pytest.mark.parametrize("hint", hints.HINTS, ids=[hint.name for hint in hints.HINTS])
def test_a_cure_is_one_or_two_sentences(hint):
    """Short, whole sentences that fit under an error message."""
    assert hint.cure.endswith(".")
    assert 20 < len(hint.cure) < 260
    assert "\n" not in hint.cure and "  " not in hint.cure


def test_verdict_and_error_carry_the_cure():
    """The hint stands in the verdict, in the error and under its text; it is told by statuses and by errors in a 200."""
    body = {"error": {"message": "Unsupported parameter: 'max_tokens' is not supported", "param": "max_tokens"}}
    verdict = status.classify(400, {}, json.dumps(body).encode())
    made = status.error_from(verdict)
    assert "max_completion_tokens" in made.hint
    assert str(made).endswith(f"\n  hint: {made.hint}")
    inside = status.classify_error({**body["error"], "code": 400})
    assert inside.hint == verdict.hint


INSIDE = [
    ("a bad key", {"type": "authentication_error", "message": "who?"}, "wrong key"),
    ("no money", {"code": "insufficient_balance", "message": "sorry"}, "quota"),
    ("an unknown path", "Unexpected endpoint or method.", "path without /v1"),
    ("a missing scope", {"type": "permission_error", "message": "scope"}, "permission"),
    ("still loading", {"type": "unavailable", "message": "Loading model"}, "model loading"),
    (
        "an unknown parameter",
        {"type": "invalid_request_error", "message": "Unknown parameter: 'x'"},
        "unknown parameter",
    ),
    (
        "an extra input",
        {"type": "unprocessable_entity", "message": "Extra inputs are not permitted"},
        "unknown parameter",
    ),
    ("a number that says it better", {"type": "server_error", "code": 401, "message": "x"}, "wrong key"),
    ("too much for a minute", {"type": "rate_limit_error", "message": "Request too large"}, "request above the limit"),
]


@pytest.mark.parametrize("name, error, hint", INSIDE, ids=[row[0] for row in INSIDE])
def test_an_error_inside_a_200_gets_the_hint_of_its_kind(name, error, hint):
    """Where the status says nothing, the nearest status of the kind stands in for it."""
    cures = {row.name: row.cure for row in hints.HINTS}
    assert status.classify_error(error).hint == cures[hint]


def test_the_address_makes_a_hint_sharper():
    """The same 404 has another cause where the endpoint is in the URL twice."""
    body = b'{"detail":"Not Found"}'
    assert "/v1" in status.classify(404, {}, body, url="http://127.0.0.1/chat/completions").hint
    assert "twice" in status.classify(404, {}, body, url=TWICE).hint
