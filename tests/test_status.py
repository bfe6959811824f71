"""The status-code classifier over every shape of error that real servers were seen to send."""

import gzip
import json
import random

import pytest

from . import module, rawchat

problem = module("protocol.problem")
status = module("protocol.status")
hints = module("protocol.hints")
errors = module("protocol.errors")
wire = module("protocol.wire")

KEY = "sk-proj-0123456789abcdefghij"


def error(message="no", **more):
    """OpenAI's error object, as bytes."""
    return json.dumps({"error": {"message": message, "type": None, "param": None, "code": None, **more}}).encode()


def page(title, filler=0):
    return f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body>{'x ' * filler}</body></html>".encode()


def as_bytes(document):
    return document if isinstance(document, bytes) else json.dumps(document).encode()


GEMINI_MINUTE = [
    {
        "error": {
            "code": 429,
            "message": "You exceeded your current quota, please check your plan. Please retry in 34.07s.",
            "status": "RESOURCE_EXHAUSTED",
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                    "violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"}],
                },
                {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.074824224s"},
            ],
        }
    }
]
GEMINI_DAY = json.loads(json.dumps(GEMINI_MINUTE).replace("PerMinute", "PerDay"))
FASTAPI_422 = {
    "detail": [
        {
            "type": "missing",
            "loc": ["body", "messages", 0, "content"],
            "msg": "Field required",
            "input": {"role": "user"},
        },
        {"type": "float_type", "loc": ["body", "temperature"], "msg": "Input should be a valid number", "input": "hot"},
    ]
}
MISTRAL_422 = {
    "object": "error",
    "message": {
        "detail": [
            {"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}
        ]
    },
    "type": "invalid_request_error",
    "param": None,
    "code": None,
}
RAW = '{"error":{"message":"rate-limited upstream, add your own key"}}'
OPENROUTER_429 = {
    "error": {"message": "Provider returned error", "code": 429, "metadata": {"raw": RAW, "provider_name": "P"}},
    "user_id": "u",
}

# name (of the row in quirks 1.6), status, headers, body, kind, retry, class, text that the message holds,
# other fields of the verdict
ROWS = [
    ("OpenAI, standard error object", 401, {}, error("Incorrect API key provided", type="invalid_request_error", code="invalid_api_key"), "auth", False, "AuthenticationError", "401 Unauthorized: Incorrect API key provided", {"code": "invalid_api_key", "type": "invalid_request_error"}),
    ("OpenAI, JSON error although a stream was asked", 401, {"content-type": "application/json"}, error("No such key"), "auth", False, "AuthenticationError", "No such key", {}),
    ("OpenAI, 403", 403, {}, error("Country, region, or territory not supported", code="unsupported_country_region_territory"), "permission", False, "PermissionDeniedError", "403 Forbidden: Country", {}),
    ("OpenAI, 404", 404, {}, error("The model `gpt-9` does not exist", code="model_not_found"), "not_found", False, "NotFoundError", "gpt-9", {"code": "model_not_found"}),
    ("OpenAI, 400", 400, {}, error("Unknown name", param="messages[0].role"), "bad_request", False, "BadRequestError", "400 Bad Request: Unknown name", {"param": "messages[0].role"}),
    ("OpenAI, 429 with retry-after-ms", 429, {"retry-after-ms": "1187"}, error("Rate limit reached", type="tokens", code="rate_limit_exceeded"), "rate_limit", True, "RateLimitError", "429 Too Many Requests: Rate limit reached", {"why": "429 rate limit"}),
    ("OpenAI, 429 with the delay in the text", 429, {}, error("Rate limit reached. Please try again in 20s."), "rate_limit", True, "RateLimitError", "try again in 20s", {}),
    ("OpenAI, quota by code", 429, {}, error("You exceeded your current quota", type="insufficient_quota", code="insufficient_quota"), "quota", False, "QuotaExceededError", "exceeded your current quota", {"why": "429 quota exhausted: fatal"}),
    ("relay, quota by type only", 429, {"retry-after": "5"}, error("No more", type="insufficient_quota"), "quota", False, "QuotaExceededError", "No more", {"code": None}),
    ("Azure, code is the string 429", 429, {"x-ratelimit-remaining-tokens": "-1"}, error("Please retry after 45 seconds.", code="429"), "rate_limit", True, "RateLimitError", "45 seconds", {"code": "429"}),
    ("Azure, Retry-After of a day", 429, {"Retry-After": "86400"}, error("Slow down"), "rate_limit", True, "RateLimitError", "Slow down", {}),
    ("Azure, prompt blocked", 400, {}, error("The response was filtered", param="prompt", code="content_filter", status=400, innererror={"code": "ResponsibleAIPolicyViolation"}), "bad_request", False, "BadRequestError", "filtered", {"code": "content_filter", "param": "prompt"}),
    ("Azure, top-level message", 401, {}, {"statusCode": 401, "message": "Access token is missing."}, "auth", False, "AuthenticationError", "401 Unauthorized: Access token is missing.", {}),
    ("Azure, 404", 404, {}, error("The API deployment for this resource does not exist.", code="DeploymentNotFound"), "not_found", False, "NotFoundError", "deployment", {"code": "DeploymentNotFound"}),
    ("Gemini, list with one object", 400, {}, [{"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT"}}], "bad_request", False, "BadRequestError", "API key not valid.", {"code": "400", "type": "INVALID_ARGUMENT"}),
    ("Gemini, limit per minute that speaks of quota", 429, {}, GEMINI_MINUTE, "rate_limit", True, "RateLimitError", "exceeded your current quota", {"type": "RESOURCE_EXHAUSTED"}),
    ("Gemini, quota per day", 429, {}, GEMINI_DAY, "quota", False, "QuotaExceededError", "quota", {"why": "429 quota exhausted: fatal"}),
    ("Gemini, 503 list", 503, {}, [{"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}], "overloaded", True, "InternalServerError", "The model is overloaded.", {}),
    ("vLLM, flat error, code a number", 400, {}, {"object": "error", "message": "max_tokens must be positive", "type": "BadRequestError", "param": None, "code": 400}, "bad_request", False, "BadRequestError", "must be positive", {"code": "400", "type": "BadRequestError"}),
    ("vLLM, error is a string", 401, {}, {"error": "Unauthorized"}, "auth", False, "AuthenticationError", "401 Unauthorized", {"body": "Unauthorized"}),
    ("FastAPI, detail is a string", 404, {}, {"detail": "Not Found"}, "not_found", False, "NotFoundError", "404 Not Found", {"body": {"detail": "Not Found"}}),
    ("FastAPI, detail is a list", 422, {}, FASTAPI_422, "unprocessable", False, "UnprocessableEntityError", "messages[0].content: Field required; temperature: Input should be a valid number", {"param": "messages[0].content"}),
    ("Mistral, message is an object with a detail list", 422, {}, MISTRAL_422, "unprocessable", False, "UnprocessableEntityError", "stream_options: Extra inputs are not permitted", {"param": "stream_options", "type": "invalid_request_error"}),
    ("Mistral, top-level message", 401, {}, {"message": "No key found", "request_id": "r"}, "auth", False, "AuthenticationError", "No key found", {}),
    ("Mistral, numeric string code", 429, {}, {"object": "error", "message": "Requests rate limit exceeded", "type": "rate_limited", "param": None, "code": "1300"}, "rate_limit", True, "RateLimitError", "rate limit exceeded", {"code": "1300"}),
    ("xAI, error a string, code a sentence", 400, {}, {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: xx."}, "bad_request", False, "BadRequestError", "Incorrect API key provided", {"code": "Client specified an invalid argument", "body": "Incorrect API key provided: xx."}),
    ("Cloudflare AI Gateway, error is a list", 401, {}, {"success": False, "result": [], "messages": [], "error": [{"code": 2009, "message": "No token"}]}, "auth", False, "AuthenticationError", "No token", {"code": "2009"}),
    ("Workers AI, errors list, out of capacity", 429, {}, {"errors": [{"code": 3040, "message": "Capacity temporarily exceeded"}], "success": False, "result": {}}, "overloaded", True, "RateLimitError", "Capacity temporarily exceeded", {"code": "3040"}),
    ("Workers AI, errors list, 503", 503, {}, {"errors": [{"code": 1, "message": "Capacity gone"}], "success": False}, "overloaded", True, "InternalServerError", "Capacity gone", {}),
    ("Workers AI, the day's allocation is used up", 429, {}, {"errors": [{"code": 3036, "message": "daily free allocation"}]}, "quota", False, "QuotaExceededError", "daily free allocation", {}),
    ("nginx, HTML", 502, {"content-type": "text/html"}, b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><center><h1>502 Bad Gateway</h1></center></body></html>", "server", True, "InternalServerError", 'HTML page "502 Bad Gateway"', {}),
    ("Cloudflare, 524 with 5 KB of HTML", 524, {}, page("api.example.com | 524: A timeout occurred", 2500), "server", True, "InternalServerError", "524: A timeout occurred", {}),
    ("Cloudflare, bot challenge", 403, {"cf-mitigated": "challenge"}, page("Just a moment..."), "permission", False, "PermissionDeniedError", 'HTML page "Just a moment..."', {}),
    ("Envoy, plain text", 503, {"content-type": "text/plain"}, b"upstream connect error or disconnect/reset before headers", "overloaded", True, "InternalServerError", "503 Service Unavailable: upstream connect error", {}),
    ("load balancer, empty body and a far date", 503, {"Retry-After": "Fri, 31 Dec 2100 23:59:59 GMT"}, b"", "overloaded", True, "InternalServerError", "503 Service Unavailable", {"body": ""}),
    ("proxy, unusable Retry-After", 429, {"Retry-After": "soon"}, error("Slow down"), "rate_limit", True, "RateLimitError", "Slow down", {}),
    ("Groq, fractional Retry-After", 429, {"retry-after": "7.66"}, error("Rate limit reached", type="tokens", code="rate_limit_exceeded"), "rate_limit", True, "RateLimitError", "Rate limit", {}),
    ("Groq, 413 that says rate_limit_exceeded", 413, {}, error("Request too large for model", type="tokens", code="rate_limit_exceeded"), "bad_request", False, "BadRequestError", "413 Content Too Large: Request too large", {"code": "rate_limit_exceeded"}),
    ("Groq, 498 flex capacity", 498, {}, error("Flex tier capacity exceeded", code="capacity_exceeded"), "overloaded", True, "APIStatusError", "498 Capacity Exceeded", {}),
    ("Anthropic, 529", 529, {}, {"type": "error", "error": {"type": "overloaded_error", "message": "Busy"}}, "overloaded", True, "InternalServerError", "529 Overloaded: Busy", {"type": "overloaded_error"}),
    ("OpenRouter, 402, code a number", 402, {}, {"error": {"message": "Insufficient credits", "code": 402}}, "quota", False, "QuotaExceededError", "Insufficient credits", {"code": "402"}),
    ("DeepSeek, 402", 402, {}, error("Insufficient Balance", type="unknown_error", code="invalid_request_error"), "quota", False, "QuotaExceededError", "Insufficient Balance", {}),
    ("OpenRouter, cause in metadata.raw", 429, {"X-RateLimit-Reset": "1763718000000"}, OPENROUTER_429, "rate_limit", True, "RateLimitError", "Provider returned error: rate-limited upstream, add your own key", {"code": "429"}),
    ("OpenRouter, moderation", 403, {}, {"error": {"message": "Input was flagged", "code": 403, "metadata": {"reasons": ["violence", "threat"]}}}, "permission", False, "PermissionDeniedError", "Input was flagged: violence; threat", {}),
    ("LiteLLM, code 429 and param None as strings", 429, {}, {"error": {"message": "litellm.RateLimitError", "type": "None", "param": "None", "code": "429"}}, "rate_limit", True, "RateLimitError", "litellm.RateLimitError", {"param": None, "type": None, "code": "429"}),
    ("LiteLLM, budget as 400", 400, {}, {"error": {"message": "Budget has been exceeded! Current cost: 2.1, Max budget: 2.0", "type": "budget_exceeded", "param": None, "code": "400"}}, "quota", False, "QuotaExceededError", "Budget has been exceeded", {}),
    ("408", 408, {}, b"", "timeout", True, "APIStatusError", "408 Request Timeout", {}),
    ("409", 409, {}, error("Locked"), "conflict", True, "ConflictError", "409 Conflict: Locked", {}),
    ("425 with an empty body", 425, {}, b"", "server", True, "APIStatusError", "425 Too Early", {}),
    ("AWS API gateway, top-level message", 504, {}, {"message": "Endpoint request timed out"}, "timeout", True, "InternalServerError", "504 Gateway Timeout: Endpoint request timed out", {}),
    ("AWS, Message in capitals", 403, {}, {"Message": "User is not authorized"}, "permission", False, "PermissionDeniedError", "User is not authorized", {}),
    ("the server forbids the retry", 500, {"X-Should-Retry": "false"}, error("Broken"), "server", False, "InternalServerError", "Broken", {"why": "500 server error: the server forbids a retry (x-should-retry)"}),
    ("the server asks for a retry of a 400", 400, {"x-should-retry": "true"}, error("Odd"), "bad_request", True, "BadRequestError", "Odd", {"why": "400 bad request: the server asks for a retry (x-should-retry)"}),
    ("x-should-retry of another value says nothing", 500, {"x-should-retry": "maybe"}, b"", "server", True, "InternalServerError", "500", {}),
    ("x-should-retry comes before quota", 429, {"x-should-retry": "true"}, error(code="insufficient_quota"), "quota", True, "QuotaExceededError", "no", {}),
    ("llama.cpp, model still loading", 503, {}, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}, "overloaded", True, "InternalServerError", "Loading model", {}),
    ("llama.cpp, context overflow", 400, {}, {"error": {"code": 400, "message": "request (9000 tokens) exceeds the available context size", "type": "exceed_context_size_error", "n_prompt_tokens": 9000}}, "bad_request", False, "BadRequestError", "9000 tokens", {"code": "400"}),
    ("Ollama, 404 model not pulled", 404, {}, error("model 'x' not found, try pulling it first", type="api_error"), "not_found", False, "NotFoundError", "try pulling it", {}),
    ("Ollama, error is a string", 404, {}, {"error": "model 'x' not found"}, "not_found", False, "NotFoundError", "404 Not Found: model 'x' not found", {}),
    ("Perplexity, auth failure as HTML", 401, {}, b"<html>\r\n<head><title>401 Authorization Required</title></head><body></body></html>", "auth", False, "AuthenticationError", "401 Authorization Required", {}),
    ("relay, a bare JSON string", 500, {}, "upstream broke", "server", True, "InternalServerError", "500 Internal Server Error: upstream broke", {"body": "upstream broke"}),
    ("relay, JSON null", 500, {}, b"null", "server", True, "InternalServerError", "500 Internal Server Error", {"body": None}),
    ("proxy, invalid UTF-8", 500, {}, b"r\xe9ponse impossible du serveur", "server", True, "InternalServerError", "r\ufffdponse impossible", {}),
    ("OpenAI, empty message", 500, {}, error("", type="server_error"), "server", True, "InternalServerError", "500 Internal Server Error", {"type": "server_error"}),
    ("relay, 4xx as an event stream", 404, {"content-type": "text/event-stream"}, b'event: error\ndata: {"error":{"message":"no such model","code":"model_not_found"}}\n\ndata: [DONE]\n\n', "not_found", False, "NotFoundError", "404 Not Found: no such model", {"code": "model_not_found"}),
    ("Cloudflare, compressed body", 429, {"content-encoding": "gzip"}, gzip.compress(error("Slow down, please")), "rate_limit", True, "RateLimitError", "Slow down, please", {}),
    ("gzip that breaks off", 429, {}, gzip.compress(error("Slow down " * 50))[:-12], "rate_limit", True, "RateLimitError", "Slow down", {}),
    ("gzip that is none", 500, {}, b"\x1f\x8b" + bytes(range(128, 228)), "server", True, "InternalServerError", "102 bytes that are no text", {}),
    ("MiniMax, empty account as 500", 500, {}, {"type": "error", "error": {"type": "api_error", "message": "insufficient balance (1008)", "http_code": "500"}}, "server", False, "InternalServerError", "insufficient balance", {"type": "api_error", "why": "500 server error: fatal, the account is empty"}),
    ("SSO proxy, redirect to another host", 302, {"Location": "https://login.example/sso?next=1"}, b"", "redirect", False, "APIStatusError", "302 Found: redirects to https://login.example/sso?next=1", {}),
    ("redirect that asks for a retry all the same", 307, {"Location": "/v1/", "x-should-retry": "true"}, b"", "redirect", False, "APIStatusError", "307 Temporary Redirect: redirects to /v1/", {}),
    ("redirect without a target", 301, {}, b"", "redirect", False, "APIStatusError", "names no target", {}),
    ("llama-cpp-python, 401 with detail", 401, {}, {"detail": "Invalid API key"}, "auth", False, "AuthenticationError", "Invalid API key", {}),
    ("transformers serve, plain text 500", 500, {}, b"Internal Server Error", "server", True, "InternalServerError", "500 Internal Server Error", {}),
    ("transformers serve, unknown model", 400, {}, {"detail": "model x is unknown"}, "bad_request", False, "BadRequestError", "model x is unknown", {}),
    ("Spring, error beside path", 404, {}, {"timestamp": 1, "status": 404, "error": "Not Found", "path": "/x"}, "not_found", False, "NotFoundError", "404 Not Found", {"code": None, "type": None}),
    ("problem+json (RFC 9457)", 429, {}, {"type": "about:blank", "title": "Slow", "detail": "Ten a minute", "status": 429}, "rate_limit", True, "RateLimitError", "Ten a minute", {}),
    ("an error within an error", 500, {}, {"error": {"error": {"message": "deep down"}}}, "server", True, "InternalServerError", "deep down", {}),
    ("a document quoted inside the message", 502, {}, error('{"error": {"message": "upstream quota"}}'), "server", True, "InternalServerError", "502 Bad Gateway: upstream quota", {}),
    ("a shape without a sentence", 500, {}, {"error": {"code": "E7", "hint": "none"}}, "server", True, "InternalServerError", "500 Internal Server Error", {"code": "E7", "message": "500 Internal Server Error"}),
    ("a shape that nobody has met", 500, {}, {"oops": "gone", "n": 3}, "server", True, "InternalServerError", "oops: gone, n: 3", {}),
    ("XML", 403, {}, b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Text>Not yours</Text></Error>", "permission", False, "PermissionDeniedError", "AccessDenied Not yours", {}),
    ("JSON cut in the middle", 500, {}, b'{"error": {"mess', "server", True, "InternalServerError", '{"error": {"mess', {"body": '{"error": {"mess'}),
    ("405", 405, {}, {"detail": "Method Not Allowed"}, "bad_request", False, "APIStatusError", "405 Method Not Allowed", {}),
    ("418, no row of its own", 418, {}, b"", "bad_request", False, "APIStatusError", "418 Client Error", {}),
    ("599, no row of its own", 599, {}, b"", "server", True, "InternalServerError", "599 Server Error", {}),
    ("999, beyond HTTP", 999, {}, b"denied", "server", True, "InternalServerError", "999 Server Error: denied", {}),
    ("103, no final answer", 103, {}, b"", "invalid_response", False, "InvalidResponseError", "103 Not a Final Status", {}),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_an_error_status_gets_its_verdict(row):
    """Kind, retry, error class, a short readable message, and the server's own code, type and param."""
    _, number, headers, body, kind, retry, error_class, words, fields = row
    verdict = status.classify(number, headers, as_bytes(body))

    assert (verdict.status, verdict.kind, verdict.retry) == (number, kind, retry)
    assert words in verdict.message
    assert len(verdict.message) < 360
    assert "\n" not in verdict.message
    assert {name: getattr(verdict, name) for name in fields} == fields
    made = status.error_from(verdict, headers=headers, attempts=2)
    assert type(made).__name__ == error_class
    assert made.status == made.status_code == number
    assert made.retryable is retry
    assert verdict.message in str(made)


# name, error as find_error or a stream event gives it, document around it, kind, class, text, code
INSIDE = [
    ("OpenRouter, 502 as a number", {"code": 502, "message": "upstream"}, None, "server", "InternalServerError", "502 Bad Gateway", "502"),
    ("OpenRouter, code as a string", {"code": "502", "message": "upstream"}, None, "server", "InternalServerError", "502 Bad Gateway", "502"),
    ("OpenRouter, server_error as code", {"code": "server_error", "message": "Provider disconnected"}, None, "server", "InternalServerError", "(server_error)", "server_error"),
    ("numeric 429", {"code": 429, "message": "slow"}, None, "rate_limit", "RateLimitError", "429 Too Many Requests", "429"),
    ("numeric 401", {"code": 401, "message": "who?"}, None, "auth", "AuthenticationError", "401 Unauthorized", "401"),
    ("vLLM, error then [DONE]", {"message": "engine died", "type": "InternalServerError", "param": None, "code": 500}, None, "server", "InternalServerError", "engine died", "500"),
    ("vLLM, object: error, by its type", {"object": "error", "message": "engine died", "type": "InternalServerError"}, None, "server", "InternalServerError", "engine died", None),
    ("TGI, string with error_type beside it", "Input validation error: too long", {"error": "Input validation error: too long", "error_type": "validation"}, "bad_request", "BadRequestError", "too long", None),
    ("TGI, string alone", "Input validation error: too long", None, "bad_request", "BadRequestError", "too long", None),
    ("TGI, overloaded", "Model is overloaded", {"error": "Model is overloaded", "error_type": "overloaded"}, "overloaded", "InternalServerError", "overloaded", None),
    ("llama.cpp, SSE field error", '{"code":400,"message":"context too small","type":"invalid_request_error"}', None, "bad_request", "BadRequestError", "context too small", "400"),
    ("llama.cpp, only event", {"code": 400, "message": "too small", "type": "exceed_context_size_error"}, None, "bad_request", "BadRequestError", "too small", "400"),
    ("LM Studio, neither code nor type", {"message": "The model has crashed"}, None, "stream_error", "APIError", "The model has crashed", None),
    ("relay, plain text", "upstream closed", None, "stream_error", "APIError", "upstream closed", None),
    ("relay, error event with a whole document as text", '{"error":{"message":"busy","code":503}}', None, "overloaded", "InternalServerError", "busy", "503"),
    ("LiteLLM, 503 and None as strings", {"message": "no", "type": "None", "param": "None", "code": "503"}, None, "overloaded", "InternalServerError", "503 Service Unavailable", "503"),
    ("OpenAI, code null and type server_error", {"message": "oops", "type": "server_error", "param": None, "code": None}, None, "server", "InternalServerError", "(server_error)", None),
    ("insufficient_quota in the stream", {"message": "no money", "code": "insufficient_quota"}, None, "quota", "QuotaExceededError", "no money", "insufficient_quota"),
    ("Gemini, per day, inside a 200", GEMINI_DAY[0]["error"], GEMINI_DAY, "quota", "QuotaExceededError", "quota", "429"),
    ("MiniMax, balance", {"status_code": 1008, "status_msg": "insufficient balance"}, None, "quota", "QuotaExceededError", "insufficient balance", "1008"),
    ("MiniMax, rate limit", {"status_code": 1002, "status_msg": "slow"}, None, "rate_limit", "RateLimitError", "slow", "1002"),
    ("MiniMax, unknown code", {"status_code": 7, "status_msg": "eh"}, None, "stream_error", "APIError", "eh", "7"),
    ("MiniMax, http_code beside the type", {"type": "api_error", "message": "x", "http_code": "500"}, None, "server", "InternalServerError", "500 Internal", None),
    ("LM Studio, wrong path", "Unexpected endpoint or method. (POST /chat/completions)", None, "not_found", "NotFoundError", "Unexpected endpoint", None),
    ("Anthropic's types", {"type": "overloaded_error", "message": "Busy"}, {"type": "error"}, "overloaded", "InternalServerError", "Busy", None),
    ("code that is a sentence", {"code": "no luck", "message": "x"}, None, "stream_error", "APIError", "(no luck)", "no luck"),
]  # fmt: skip


@pytest.mark.parametrize("row", INSIDE, ids=[row[0] for row in INSIDE])
def test_an_error_inside_a_200_is_judged_by_what_it_says(row):
    """The code decides, then the type, then well-known sentences; the message says that the status was 200."""
    _, found, whole, kind, error_class, words, code = row
    verdict = status.classify_error(found, whole=whole)

    assert (verdict.status, verdict.kind, verdict.code) == (200, kind, code)
    assert verdict.retry is (kind in ("server", "overloaded", "rate_limit", "timeout", "stream_error"))
    assert verdict.message.startswith("200 OK with an error inside")
    assert words in verdict.message
    assert type(status.error_from(verdict)).__name__ == error_class


GOOD = {"choices": [{"index": 0, "message": {"content": "Ready."}}]}
# name, document, what is found
FOUND = [
    ("object", {"error": {"message": "x"}}, {"message": "x"}),
    ("string", {"error": "x"}, "x"),
    ("list", {"error": [{"message": "x"}]}, [{"message": "x"}]),
    ("true, with the words beside it", {"error": True, "message": "x"}, {"error": True, "message": "x"}),
    ("errors", {"errors": [{"message": "x"}]}, {"errors": [{"message": "x"}]}),
    ("detail", {"detail": "x"}, {"detail": "x"}),
    ("message without choices", {"message": "x"}, {"message": "x"}),
    ("msg without choices", {"code": 1302, "msg": "x", "success": False}, {"code": 1302, "msg": "x", "success": False}),
    ("object: error", {"object": "error", "message": "x"}, {"object": "error", "message": "x"}),
    ("base_resp", {"base_resp": {"status_code": 1008, "status_msg": "x"}}, {"status_code": 1008, "status_msg": "x"}),
    ("list of one (Gemini)", [{"error": {"code": 400}}], {"code": 400}),
    ("inside a choice (OpenRouter)", {"choices": [{"index": 0, "error": {"code": 502}}]}, {"code": 502}),
    ("beside choices", {**GOOD, "error": {"code": 502}}, {"code": 502}),
    ("only a type", {"error": {"type": "server_error"}}, {"type": "server_error"}),
    ("a good answer", GOOD, None),
    ("error null beside a good answer", {**GOOD, "error": None}, None),
    ("error without a word beside a good answer (new-api)", {**GOOD, "error": {"message": "", "type": "", "code": None}}, None),
    ("base_resp 0 beside a good answer (MiniMax)", {**GOOD, "base_resp": {"status_code": 0, "status_msg": "success"}}, None),
    ("errors [] beside a good answer", {**GOOD, "errors": []}, None),
    ("detail beside a good answer", {**GOOD, "detail": "x", "message": "y"}, None),
    ("models", {"object": "list", "data": [{"id": "m"}], "message": "two models"}, None),
    ("Ollama's own answer", {"message": {"role": "assistant", "content": "Hi"}, "done": True}, None),
    ("null", None, None),
    ("empty list", [], None),
    ("list of numbers", [1, 2], None),
    ("string document", "x", None),
    ("choices null", {"choices": None}, None),
    ("choice that is no object", {"choices": [None, 3]}, None),
]  # fmt: skip


@pytest.mark.parametrize("name, document, expected", FOUND, ids=[row[0] for row in FOUND])
def test_an_error_is_found_in_every_known_shape(name, document, expected):
    """What is found is the error itself, or the whole document where the shape is flat; nothing in a good answer."""
    assert problem.find_error(document) == expected


REQUEST_IDS = [
    ("OpenAI", {"X-Request-Id": "req_1"}, "req_1"),
    ("Anthropic", {"request-id": "req_2"}, "req_2"),
    ("Azure API Management", {"apim-request-id": "a"}, "a"),
    ("Microsoft", {"x-ms-request-id": "m"}, "m"),
    ("AWS", {"x-amzn-RequestId": "w"}, "w"),
    ("Cloudflare", {"CF-RAY": "c"}, "c"),
    ("the server's own before the proxy's", {"cf-ray": "c", "x-request-id": "r"}, "r"),
    ("a blank one does not count", {"x-request-id": " ", "cf-ray": "c"}, "c"),
    ("none", {"via": "1.1 x"}, None),
]


@pytest.mark.parametrize("name, headers, expected", REQUEST_IDS, ids=[row[0] for row in REQUEST_IDS])
def test_the_request_id_is_read_whatever_its_header_is_called(name, headers, expected):
    """From a plain dict in any case, and from Headers alike."""
    assert status.request_id_from(headers) == expected
    assert status.request_id_from(wire.Headers(headers)) == expected


@pytest.mark.parametrize("number", [200, 201, 204, 206, 299])
def test_a_success_is_ok_and_its_body_is_not_looked_at(number):
    """What a 2xx holds is for `answer` to judge, and there is no error to make of it."""
    verdict = status.classify(number, {}, error("not looked at"))
    assert (verdict.kind, verdict.retry, verdict.body) == ("ok", False, None)
    with pytest.raises(ValueError, match="no error to make"):
        status.error_from(verdict)


@pytest.mark.parametrize("number", [*range(300, 600)])
def test_every_status_has_the_class_of_the_sdk(number):
    """Without a body to know better: the SDK's class for each status, ours only where it is more exact."""
    names = {400: "BadRequestError", 401: "AuthenticationError", 402: "QuotaExceededError", 403: "PermissionDeniedError", 404: "NotFoundError", 409: "ConflictError", 413: "BadRequestError", 422: "UnprocessableEntityError", 429: "RateLimitError"}  # fmt: skip
    expected = names.get(number, "InternalServerError" if number >= 500 else "APIStatusError")
    verdict = status.classify(number, {}, b"")
    assert type(status.error_from(verdict)).__name__ == expected
    assert verdict.retry is (number >= 500 or number in (408, 409, 425, 429, 498))
    assert verdict.message == f"{number} {status.row_of(number).phrase}" or verdict.kind == "redirect"


def test_the_error_carries_everything():
    """Every attribute of an APIError is filled from the verdict, the headers and what the caller knows."""
    headers = wire.Headers({"X-Request-Id": "req_7"})
    verdict = status.classify(429, headers, error("Slow", type="tokens", code="rate_limit_exceeded", param="p"))
    made = status.error_from(verdict, headers=headers, attempts=3, retry_after_s=2.0, reply="partial")
    assert (made.code, made.type, made.param) == ("rate_limit_exceeded", "tokens", "p")
    assert (made.request_id, made.attempts, made.retry_after_s, made.reply) == ("req_7", 3, 2.0, "partial")
    assert made.body == {"message": "Slow", "type": "tokens", "param": "p", "code": "rate_limit_exceeded"}
    assert made.headers is headers
    assert str(made) == "429 Too Many Requests: Slow (request id req_7, 3 attempts)"
    assert isinstance(made, rawchat.APIStatusError)


LEAKS = [
    ("in the message", 401, {}, error(f"Incorrect API key provided: {KEY}. You can find it online.")),
    ("starred out by OpenAI", 401, {}, error("Incorrect API key provided: sk-proj-********************ghij.")),
    ("in plain text", 500, {}, f"cannot use Bearer {KEY}".encode()),
    ("in HTML", 500, {}, page(f"key {KEY}")),
    ("in the redirect's target", 307, {"Location": f"https://other.example/v1?api-key={KEY}"}, b""),
    ("in the redirect's userinfo", 307, {"Location": f"https://u:{KEY}@other.example/"}, b""),
    ("across the place of the cut", 400, {}, error("x" * 270 + f" {KEY}" * 3)),
    ("in the code", 400, {}, error("x", code=KEY)),
    ("in a cause that a provider passed on", 429, {}, {"error": {"message": "m", "metadata": {"raw": f"key {KEY}"}}}),
]


@pytest.mark.parametrize("name, number, headers, body", LEAKS, ids=[row[0] for row in LEAKS])
def test_no_key_gets_into_a_message(name, number, headers, body):
    """Neither message, why, hint nor repr quote a key that the server quotes."""
    verdict = status.classify(number, headers, as_bytes(body), secrets=())
    shown = verdict.message + verdict.why + verdict.hint + repr(verdict) + str(status.error_from(verdict))
    assert KEY not in shown
    assert "ghij" not in shown
    assert "0123456789" not in shown


def test_a_key_without_a_shape_is_kept_out_by_name():
    """Azure's keys look like any hex string; the caller names them."""
    key = "0123456789abcdef0123456789abcdef"
    body = error(f"key {key} is unknown")
    assert key not in status.classify(401, {}, body, secrets=[key]).message
    assert key not in status.classify_error(json.loads(body)["error"], secrets=[key]).message


NASTY = [
    ("nested lists", b"[" * 100_000),
    ("nested objects", b'{"error":' * 50_000 + b"1" + b"}" * 50_000),
    ("deep, but decodable", b'{"error":' * 300 + b'"x"' + b"}" * 300),
    ("deeper than Python's stack, where the decoder is not", b'{"error":' * 3000 + b'""' + b"}" * 3000),
    ("lists as deep", b'{"error":' + b"[" * 3000 + b"]" * 3000 + b"}"),
    ("places as deep", b'{"detail":' * 3000 + b'""' + b"}" * 3000),
    ("a number of 10,000 digits", b'{"error":{"code":' + b"9" * 10_000 + b"}}"),
    ("terminal controls", error("\x1b[2J\x1b]0;owned\x07 bell\u202e")),
    ("a megabyte of text", error("blah " * 200_000)),
    ("a gzip bomb", gzip.compress(b" " * 50_000_000 + error("x"))),
    ("a hostile page", b"<html>" + b"<script>" * 20_000),
    ("open tags only", b"<" * 100_000),
    ("a title without an end", page("x")[:40]),
    ("wrong types everywhere", as_bytes({"error": {"message": 5, "code": [1], "type": {}, "param": 3.5, "details": 7, "metadata": [], "errors": {}}})),
    ("detail of odd items", as_bytes({"detail": [None, 3, {"loc": 5, "msg": None}, {"loc": []}]})),
    ("loc that is a string", as_bytes({"detail": [{"loc": "body", "msg": "m"}]})),
    ("SSE without data", b"event: error\n\n"),
    ("lone surrogate", as_bytes({"error": {"message": "\ud83d"}})),
    ("violations that are none", as_bytes({"error": {"details": [{"violations": [5, {"quotaId": None}]}, 3]}})),
    ("NaN as code", b'{"error": {"message": "x", "code": NaN}}'),
]  # fmt: skip


@pytest.mark.parametrize("name, body", NASTY, ids=[row[0] for row in NASTY])
def test_no_body_breaks_the_classifier(name, body):
    """Whatever comes, the verdict on a 500 and on a 429 is made, in one short printable line."""
    for number, kind in ((500, "server"), (429, "rate_limit")):
        verdict = status.classify(number, {}, body)
        assert verdict.kind == kind
        assert len(verdict.message) < 360
        assert verdict.message.isprintable()
        assert verdict.message.encode("utf-8")


@pytest.mark.parametrize("seed", range(20))
def test_no_damage_to_a_body_breaks_the_classifier(seed):
    """Bodies of the table above, cut and with bytes changed at random: still a verdict, never another exception."""
    dice = random.Random(seed)
    for row in ROWS:
        body = bytearray(as_bytes(row[3]))
        for _ in range(3 if body else 0):
            body[dice.randrange(len(body))] = dice.randrange(256)
        body = bytes(body[: dice.randrange(len(body) + 1)])
        assert status.classify(500, {}, body).status == 500
        parsed = status.parse_body(body)
        assert status.classify_error(parsed, whole=parsed).status == 200


READABLE = [
    ("empty", b"", ""),
    ("blank", b" \r\n\t", ""),
    ("null", b"null", ""),
    ("text", b"  two\n lines ", "two lines"),
    ("BOM", b'\xef\xbb\xbf{"error": "x"}', "x"),
    ("HTML entities", b"<html><title>A &amp; B</title>", 'HTML page "A & B"'),
    ("HTML without a title", b"<html><script>var x</script><p>Hello <b>you</b>", 'HTML page "Hello you"'),
    ("HTML without words", b"<html></html>", "HTML page without words"),
    ("a good answer", as_bytes(GOOD), ""),
    ("long", b"word " * 100, "word " * 59 + "wo..."),
]


@pytest.mark.parametrize("name, body, expected", READABLE, ids=[row[0] for row in READABLE])
def test_a_body_of_any_shape_reads_as_one_short_line(name, body, expected):
    """Bytes and text give the same line."""
    assert problem.readable(body) == expected
    assert problem.readable(body.decode("utf-8")) == expected


def test_every_kind_has_words_and_a_class():
    """The tables agree with each other: each status has a kind that exists, each phrase is words."""
    for number, row in status.STATUSES.items():
        assert row.kind in hints.KINDS, number
        assert row.phrase and not row.phrase.isdigit()
        assert issubclass(row.error, errors.APIError)
    assert all(kind.words and status.row_of(kind.status or 100).phrase for kind in hints.KINDS.values())
    assert {status.row_of(kind.status).kind for kind in hints.KINDS.values() if kind.status} < set(hints.KINDS)
    assert hints.KINDS[status.row_of(429).kind].words == "rate limit"
