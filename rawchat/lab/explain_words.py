"""What a header or a parameter says, one line each: data for `explain`, in the words of a teacher.

    Authorization: Bearer <key:3f2a91>      who asks and pays: the key, shown as a mark
    "stream": true                          send the answer in events, while it is being written

Sources: RFC 9110 and 9112 for HTTP's own fields, the API reference of 2026-11 for the rest. Holds no code.
"""

from __future__ import annotations

from typing import Mapping

REQUEST_HEADERS: Mapping[str, str] = {
    "accept": "which kinds of answer are welcome",
    "accept-encoding": "how the answer may be compressed",
    "api-key": "who asks and pays, in Azure's header; shown as a mark",
    "authorization": "who asks and pays: the key, shown as a mark",
    "connection": "whether the connection stays open afterwards",
    "content-length": "how many bytes of body follow",
    "content-type": "what the body is",
    "cookie": "what an earlier answer asked to send back; shown as a mark",
    "expect": "asks whether the body is welcome before it is sent",
    "host": "the name that is asked for; one machine may have several",
    "idempotency-key": "the same key again means the same request again, not a second one",
    "openai-organization": "which organization is billed",
    "openai-project": "which project is billed",
    "transfer-encoding": "the body comes in chunks, its length not known beforehand",
    "user-agent": "which program asks",
    "x-api-key": "who asks and pays, in Anthropic's and many gateways' header; shown as a mark",
    "x-client-request-id": "the client's own name for this request, for the server's log",
    "x-request-id": "the client's own name for this request, for the server's log",
    "x-stainless-arch": "the SDK says what machine it runs on",
    "x-stainless-async": "the SDK says whether its asynchronous client was used",
    "x-stainless-lang": "the SDK says which language it is written in",
    "x-stainless-os": "the SDK says which operating system it runs on",
    "x-stainless-package-version": "the SDK says its version",
    "x-stainless-read-timeout": "the SDK says how many seconds of silence it accepts",
    "x-stainless-retry-count": "how many attempts of this call came before",
    "x-stainless-runtime": "the SDK says which interpreter runs it",
    "x-stainless-runtime-version": "the SDK says the version of that interpreter",
}

RESPONSE_HEADERS: Mapping[str, str] = {
    "access-control-allow-origin": "which web pages may read this answer in a browser",
    "access-control-expose-headers": "which headers a web page may read",
    "alt-svc": "where the same service can be had over HTTP/3",
    "cache-control": "whether a cache may keep it",
    "cf-ray": "Cloudflare's name for this request: a proxy stands in between",
    "connection": "whether the connection stays open afterwards",
    "content-encoding": "how the body is compressed",
    "content-length": "how many bytes of body follow",
    "content-type": "what the body is",
    "date": "when the server made this",
    "location": "where it wants us to ask instead; not followed",
    "openai-organization": "which organization is billed",
    "openai-processing-ms": "how long the server worked on it, in ms",
    "openai-version": "the version of the API",
    "retry-after": "wait so many seconds (or until then) before trying again",
    "retry-after-ms": "wait so many milliseconds before trying again",
    "server": "which program answers",
    "set-cookie": "asks the client to send this back; shown as a mark",
    "strict-transport-security": "tells browsers to use TLS from now on",
    "transfer-encoding": "the body comes in chunks, its length not known beforehand",
    "vary": "which request headers this answer depends on",
    "via": "a proxy that it came through",
    "x-ratelimit-limit-requests": "how many requests are allowed in a span of time",
    "x-ratelimit-limit-tokens": "how many tokens are allowed in a span of time",
    "x-ratelimit-remaining-requests": "how many of those requests are left",
    "x-ratelimit-remaining-tokens": "how many of those tokens are left",
    "x-ratelimit-reset-requests": "when all requests are there again",
    "x-ratelimit-reset-tokens": "when all tokens are there again",
    "x-request-id": "the server's name for this request: quote it when you complain",
    "x-should-retry": "whether the server wants it tried again",
}

PARAMETERS: Mapping[str, str] = {
    "frequency_penalty": "makes words less likely the more often they were said",
    "input": "the texts to make vectors of",
    "logit_bias": "makes given tokens more or less likely",
    "logprobs": "send how likely each token was",
    "max_completion_tokens": "at most so many tokens, reasoning included",
    "max_tokens": "at most so many tokens; the older name of max_completion_tokens",
    "messages": "the conversation so far, oldest first: a model remembers nothing itself",
    "metadata": "labels to find the call by later",
    "modalities": "text, audio or both",
    "model": "which model is to answer",
    "n": "how many answers to the same question",
    "parallel_tool_calls": "whether several tools may be called at once",
    "prediction": "text that the answer will mostly repeat",
    "presence_penalty": "makes words less likely once they were said",
    "prompt_cache_key": "which requests share a cached beginning",
    "reasoning_effort": "how much to think before answering",
    "response_format": "the form the answer must have, JSON for example",
    "safety_identifier": "which of the caller's users asks, hashed",
    "seed": "the same number asks for the same dice; no promise",
    "service_tier": "how soon, and at what price",
    "stop": "end the answer before any of these strings",
    "store": "whether the provider keeps the conversation",
    "stream": "send the answer in events, while it is being written",
    "stream_options": "what a stream should have besides: include_usage asks for the token counts",
    "temperature": "0: always the likeliest word; higher: more dice",
    "tool_choice": "whether a tool must, may or must not be called",
    "tools": "functions that the model may ask to have called",
    "top_logprobs": "how many alternatives to each token",
    "top_p": "choose among the likeliest words that make up this share",
    "user": "which of the caller's users asks; the older name of safety_identifier",
    "verbosity": "how long-winded the answer may be",
}

ROLES: Mapping[str, str] = {
    "assistant": "what the model said before",
    "developer": "how the model is to behave (newer name of system)",
    "function": "what a function returned (older form of tool)",
    "system": "how the model is to behave",
    "tool": "what a tool returned, for the call of that id",
    "user": "what the person says",
}
