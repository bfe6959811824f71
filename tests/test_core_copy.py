"""A copy without the optional rooms: it imports, and does what a core is for; what is not there says so."""

import ast
import json
import subprocess
import sys

import pytest

from . import forms, module
from .test_floors import floors
from .test_status import ROWS, as_bytes

sys.path.insert(0, str(forms.TOP / "scripts"))
try:
    from copies import Plan, contents
finally:
    sys.path.remove(str(forms.TOP / "scripts"))

_status = module("protocol.status")
STATUSES, classify, classify_error, error_from = (
    getattr(_status, name) for name in ("STATUSES", "classify", "classify_error", "error_from")
)

PACKAGE = forms.SOURCE
NAME = "vendored_chat"  # not our own: a copy may have any name

# What every program below begins with. -I hides the user's environment, -S the installed packages.
START = f"""
import json, sys
sys.path.insert(0, sys.argv[1])
import {NAME} as chat
from {NAME}.transport.memory import MemoryTransport, reply, sse

DOCUMENT = {{
    "id": "c1", "model": "gpt-4o-mini",
    "choices": [{{"index": 0, "finish_reason": "stop", "message": {{"role": "assistant", "content": "Hello!"}}}}],
    "usage": {{"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}},
}}

def client(*script, **options):
    return chat.Client("sk-test-0123456789", "https://api.example/v1", transport=MemoryTransport(script), **options)

def error_of(call):
    try:
        call()
    except (chat.RawChatError, AttributeError) as error:
        return error

def streamed(*deltas):
    # what these deltas of one choice add up to
    script = sse(*({{"choices": [{{"index": 0, "delta": delta}}]}} for delta in deltas))
    with client(reply(pieces=script)).stream("Hi") as stream:
        shown = "".join(stream)
    assert shown == stream.reply.text
    return stream.reply

def tell(*values):
    print(json.dumps(values))
"""


def copy_of(folder, *features):
    """A copy with these features in `folder`, as `scripts/vendor` makes it, and what runs a program in it."""
    for path, data in contents(Plan(PACKAGE, NAME, features, single=False)).items():
        (folder / NAME / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / NAME / path).write_bytes(data)

    def run(program):
        command = [sys.executable, "-I", "-S", "-W", "error", "-c", START + program, str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="module")
def core(tmp_path_factory):
    """The core and the scripted door; only that, none of the other features."""
    return copy_of(tmp_path_factory.mktemp("copy"), "memory")


RULE = "a name must be a token, a value one line of Latin-1 text, a key such a text and no more"
PROGRAMS = [
    ("chat and usage, and no cost", """
r = client(DOCUMENT).chat("Hi")
tell(r.text, r.usage.total_tokens, r.cost)""", ["Hello!", 1500, None]),
    ("a stream, and no cost", """
s = client(["Hel", "lo", {**DOCUMENT, "choices": []}, "[DONE]"]).stream("Hi")
tell(s.read().text, s.reply.usage.total_tokens, s.reply.cost)""", ["Hello", 1500, None]),
    ("a server that refuses an option of ours: its refusal is the caller's", """
c = client(reply(status=400, body={"error": {"message": "no such field", "param": "stream_options"}}))
e = error_of(lambda: c.stream("Hi"))
tell(type(e).__name__, e.param, len(c.transport.requests))""", ["BadRequestError", "stream_options", 1]),
    ("stream", """
s = client(["Hel", "lo", "[DONE]"]).stream("Hi")
tell(list(s), s.reply.text, s.reply.complete)""", [["Hel", "lo"], "Hello", True]),
    ("send", """
tell(client(DOCUMENT).send({"model": "m", "messages": []}).text)""", ["Hello!"]),
    ("retries, with the wait of Retry-After", """
c = client(reply(status=429, headers={"Retry-After": "3"}), DOCUMENT)
tell(c.chat("Hi").attempts, c.transport.sleeps)""", [2, [3.0]]),
    ("retries, where only a sentence says how long", """
c = client(reply(status=429, body={"error": {"message": "Please try again in 7 s."}}), DOCUMENT)
tell(c.chat("Hi").attempts, c.transport.sleeps[0] <= 0.5)""", [2, True]),
    ("an error, without a hint", """
e = error_of(lambda: client(reply(status=401, body={"error": {"message": "Incorrect API key"}})).chat("Hi"))
tell(type(e).__name__, str(e), e.hint)""", ["AuthenticationError", "401 Unauthorized: Incorrect API key", ""]),
    ("a wait that is too long, without the reason why it was not taken", """
c = client(reply(status=429, headers={"Retry-After": "86400"}))
e = error_of(lambda: c.chat("Hi"))
tell(type(e).__name__, e.retry_after_s, e.hint, c.transport.sleeps)""", ["RateLimitError", 86400.0, "", []]),
    ("an error inside a stream", """
s = client(["Hel", {"error": {"message": "no", "code": 529}}], max_retries=0).stream("Hi")
e = error_of(lambda: list(s))
tell(type(e).__name__, e.reply.text)""", ["InternalServerError", "Hel"]),
    ("an error as an event of that name", """
s = client(reply(pieces=[b'event: error\\ndata: {"error": {"message": "no", "type": "tokens", "code": "c1"}}\\n\\n']), max_retries=0).stream("Hi")
e = error_of(lambda: list(s))
tell(e.message, e.code, e.body)""", ["200 OK with an error inside (c1): no", "c1", {"message": "no", "type": "tokens", "code": "c1"}]),
    ("a stream of chunks that are alike", """
s = client([*"Hello", "[DONE]"]).stream("Hi")
tell(list(s), s.reply.text)""", [["H", "e", "l", "l", "o"], "Hello"]),
    ("a whole answer where a stream was asked for", """
s, t = client(DOCUMENT).stream("Hi"), client(DOCUMENT).stream("Hi")
tell(list(s), s.reply.complete, list(t.chunks()) == [DOCUMENT])""", [["Hello!"], True, True]),
    ("a stream where a whole answer was asked for: an error with the body, and no second attempt", """
c = client(reply(pieces=sse("Hel", "lo")))
e = error_of(lambda: c.chat("Hi"))
tell(type(e).__name__, e.message[:46], "Hel" in e.body, len(c.transport.requests))""", [
        "InvalidResponseError", "the server answered 200 with what is no answer", True, 1]),
    ("JSON behind a byte order mark, and between blank lines", """
tell(client(bytes([0xEF, 0xBB, 0xBF, 10]) + json.dumps(DOCUMENT).encode() + bytes([10, 10])).chat("Hi").text)""", ["Hello!"]),
    ("a stray [DONE] behind the JSON of a whole answer", """
e = error_of(lambda: client(json.dumps(DOCUMENT) + "data: [DONE]", max_retries=0).chat("Hi"))
tell(type(e).__name__, "Hello!" in e.body)""", ["InvalidResponseError", True]),
    ("JSON that is no answer", """
e = error_of(lambda: client({"id": "x"}).chat("Hi"))
tell(type(e).__name__, str(e), e.body)""", ["InvalidResponseError", 'the server answered 200 with what is no answer: {"id": "x"}', {"id": "x"}]),
    ("a page of HTML", """
e = error_of(lambda: client("<html><title>Log in</title></html>").stream("Hi").read())
tell(type(e).__name__, str(e))""", ["InvalidResponseError", 'the server answered 200 with what is neither an answer nor an event stream (application/json): <html><title>Log in</title></html>']),
    ("no JSON at all where a stream was asked for", """
e = error_of(lambda: client(reply(pieces=["no route"], headers={"Content-Type": "text/plain"})).stream("Hi").read())
tell(str(e))""", ["the server answered 200 with what is neither an answer nor an event stream (text/plain): no route"]),
    ("a page of HTML that calls itself an event stream", """
e = error_of(lambda: client(reply(pieces=[b"<html>Log in</html>"])).stream("Hi").read())
tell(type(e).__name__, "Log in" in str(e))""", ["InvalidResponseError", True]),
    ("an error where a stream was asked for", """
e = error_of(lambda: client({"error": {"message": "no", "code": 401}}).stream("Hi").read())
tell(type(e).__name__, e.message)""", ["AuthenticationError", "200 OK with an error inside (401 Unauthorized): no"]),
    ("other JSON where a stream was asked for", """
e = error_of(lambda: client({"id": "x"}, max_retries=0).stream("Hi").read())
tell(type(e).__name__, str(e))""", ["InvalidResponseError", 'the server answered 200 with what is neither an answer nor an event stream (application/json): {"id": "x"}']),
    ("a whole answer that does not say it is finished, where a stream was asked for: interrupted, and nothing lost", """
document = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello!"}}]}
s = client(document, max_retries=0).stream("Hi")
e = error_of(s.read)
tell(type(e).__name__, e.reply.text, e.reply.complete)""", ["StreamInterrupted", "Hello!", False]),
    ("a deadline: it bounds each read of a stream", """
s = client(["Hel", "[DONE]"], deadline=20).stream("Hi")
limits = s._progress._limits
tell(s._progress.is_limited(), s._progress.limit_s(limits.started_s + 5),
     type(error_of(lambda: s._progress.limit_s(limits.started_s + 20))).__name__)""", [True, 15.0, "DeadlineExceeded"]),
    ("a whole body that only the close ends: a second attempt if it may be cut off", """
c = client(reply(body=b'{"choices": [', headers={}), DOCUMENT)
tell(c.chat("Hi").attempts)""", [2]),
    ("a stream cut inside an event: all that was cut off is shown", """
s = client(reply(pieces=[*sse("Hel", done=False), b'data: {"cho']), max_retries=0).stream("Hi")
tell(str(error_of(lambda: list(s))).partition("; ")[2])""", ['its last, unfinished event: data: {"cho']),
    ("the reconnection time: in force at the blank line", """
decoder = chat.SSEDecoder()
decoder.feed(b"retry: 250" + bytes([10]))
before = decoder.retry_ms
decoder.feed(bytes([10]))
tell(before, decoder.retry_ms)""", [None, 250]),
    ("an event without end: bounded", """
decoder = chat.SSEDecoder(max_event_bytes=9)
e = error_of(lambda: decoder.feed(b"data: 0123456789"))
tell(type(e).__name__, str(e)[:51])""", ["InvalidResponseError", "one event of the stream is longer than 9 bytes; if "]),
    ("an event that is no JSON", """
s = client(["Hel", b"data: zz\\n\\n", "[DONE]"]).stream("Hi")
e = error_of(lambda: list(s))
tell(type(e).__name__, "zz" in str(e), e.reply.text)""", ["InvalidResponseError", True, "Hel"]),
    ("a stream that broke off", """
s = client(reply(pieces=sse("Hel", done=False))).stream("Hi")
e = error_of(lambda: list(s))
tell(type(e).__name__, str(e), e.reply.text)""", [
        "StreamInterrupted", "the stream ended after 3 characters of text, before its answer was whole", "Hel"]),
    ("a stream of nothing but its end", """
e = error_of(lambda: client(["[DONE]"], max_retries=0).stream("Hi").read())
tell(type(e).__name__, str(e))""", [
        "StreamInterrupted", "the stream ended after 0 characters of text, before its answer was whole"]),
    ("an error in the words of another server", """
e = error_of(lambda: client(reply(status=404, body={"detail": "Not Found"})).chat("Hi"))
tell(type(e).__name__, str(e), e.body)""", ["NotFoundError", '404 Not Found: {"detail": "Not Found"}', {"detail": "Not Found"}]),
    ("an error as a web page", """
c = client(reply(status=502, body=b"<html><title>502 Bad Gateway</title>" + bytes([10, 27]) + b"</html>"), max_retries=0)
tell(str(error_of(lambda: c.chat("Hi"))))""", ["502 Bad Gateway: <html><title>502 Bad Gateway</title> </html>"]),
    ("an error that nobody can read", """
import gzip
c = client(reply(status=500, body=gzip.compress(bytes(range(256)), mtime=0)), max_retries=0)
tell(str(error_of(lambda: c.chat("Hi"))).endswith("bytes that are no text"))""", [True]),
    ("an error nested beyond what can be written again", """
text = '{"detail":' * 900 + '""' + "}" * 900
tell(chat.classify(400, {}, text).message[:15])""", ["400 Bad Request"]),
    ("an empty error beside an answer", """
tell(client({**DOCUMENT, "error": {"message": "", "type": "", "code": None}}).chat("Hi").text)""", ["Hello!"]),
    ("an error without envelope inside a 200", """
e = error_of(lambda: client({"object": "error", "message": "engine died", "type": "E", "code": 400}).chat("Hi"))
tell(type(e).__name__, e.message, e.code)""", ["BadRequestError", "200 OK with an error inside (400 Bad Request): engine died", "400"]),
    ("an error inside a 200 that speaks of the request", """
bad = {"error": {"message": "no", "type": "invalid_request_error", "param": None, "code": None}}
c = client(bad, DOCUMENT)
tell(error_of(lambda: c.chat("Hi")).attempts)""", [1]),
    ("a status that is rarely met", """
e = error_of(lambda: client(reply(status=405, body={"error": "no"})).chat("Hi"))
tell(type(e).__name__, str(e))""", ["APIStatusError", "405 Client Error: no"]),
    ("a status of one server alone: Groq's flex capacity is not waited for", """
c = client(reply(status=498), DOCUMENT)
tell(error_of(lambda: c.chat("Hi")).attempts)""", [1]),
    ("a status above those that are known: the server's fault", """
tell(client(reply(status=529), DOCUMENT).chat("Hi").attempts)""", [2]),
    ("too early, an account that is not active, a redirect without a target: by the hundred, the code, and as it is", """
told = [chat.classify(425, {}, b""), chat.classify(429, {}, '{"error": {"message": "no", "code": "billing_not_active"}}'), chat.classify(307, {}, b"")]
tell(*([verdict.kind, verdict.retry, verdict.message] for verdict in told))""", [
        ["bad_request", False, "425 Client Error"], ["quota", False, "429 Too Many Requests: no"], ["redirect", False, "307 Redirection"]]),
    ("an error that says no more than its status, and the repr of a verdict: no word left out, and no fact but two", """
v = chat.classify(404, {}, '{"error": {"message": "Not Found", "code": "c1"}}')
tell(v.message, repr(v))""", ["404 Not Found: Not Found", "Verdict(404, 'not_found')"]),
    ("why there is another attempt: the status, and no word of the wait", """
v = chat.classify(429, {}, b"")
w = chat.next_wait(chat.RetryPolicy(), verdict=v, hint=chat.parse_retry_after({"Retry-After": "3"}, now_s=0), retries_taken=0, max_retries=1, dice=0)
tell(v.why, w)""", ["429 rate_limit", [3.0, "429 rate_limit"]]),
    ("an empty account in the words of another server", """
e = error_of(lambda: client(reply(status=400, body={"error": {"message": "no", "type": "budget_exceeded"}})).chat("Hi"))
tell(type(e).__name__, e.type)""", ["BadRequestError", "budget_exceeded"]),
    ("a redirect", """
tell(str(error_of(lambda: client(reply(status=308, headers={"Location": "/v1/"})).chat("Hi"))))""", ["308 Redirection: redirects to /v1/, and is not followed"]),
    ("retries, with a date in Retry-After", """
import email.utils, time
c = client(reply(status=503, headers={"Retry-After": email.utils.formatdate(time.time() + 60, usegmt=True)}), DOCUMENT)
tell(c.chat("Hi").attempts, 50 < c.transport.sleeps[0] <= 60)""", [2, True]),
    ("retries, where Retry-After says nothing", """
cs = [client(reply(status=503, headers={"Retry-After": t}), DOCUMENT) for t in ("soon", "", " ", ",", "Tue, 31 Foo 2024 99:99:99 GMT", "Tue, 14 Nov 99999 22:13:50 GMT", "Sun Nov  6 08:49:37 1994")]
tell([c.chat("Hi").attempts for c in cs], all(c.transport.sleeps[0] <= 0.5 for c in cs))""", [[2] * 7, True]),
    ("the door of the standard library", """
tell(chat.Client("sk-test-0123456789").transport.name)""", ["stdlib"]),
    ("a door by a name that is none, and the default one in a browser", """
sys.platform = "emscripten"
key = "sk-test-0123456789"
tell(chat.Client(key).transport.name, str(error_of(lambda: chat.Client(key, transport="pigeon"))))""", [
        "stdlib", 'transport must be "stdlib" or a Transport, not \'pigeon\'']),
    ("nobody listens, and nobody counts, also beside other options", """
c = client(DOCUMENT).with_options(model="m2", timeout=3)
tell(c.listeners, c.cost_tracker, c.chat("Hi").text)""", [[], None, "Hello!"]),
    ("a payload by hand that is no dict: Python says so, before anything is sent", """
c = client()
try:
    c.send("text")
except ValueError as error:
    tell(type(error).__name__, len(c.transport.requests))""", ["ValueError", 0]),
    ("limits that are none: one sentence for all", """
wrong = ({"timeout": 0}, {"timeout": (1, 2, 3)}, {"deadline": True}, {"max_retries": -1}, {"max_retries": None})
tell(*{str(error_of(lambda: client(**given))) for given in wrong})""", [
        "timeout and deadline are seconds above 0 or None, max_retries is a whole number from 0"]),
    ("what JSON cannot hold", """
tell(str(error_of(lambda: client().chat("Hi", seed={1}))))""", ["the payload cannot be written as JSON: Object of type set is not JSON serializable"]),
    ("a key that a server quotes, given in the body, and one it was never given", """
text = "bad 0a1b2c3d4e5f6a7b, nor sk-proj-zyxwvutsrq"
c = client(reply(status=400, body={"error": {"message": text}}))
e = error_of(lambda: c.chat("Hi", extra_body={"api_key": "0a1b2c3d4e5f6a7b"}))
tell(str(e).count("<key:"), any(key in str(e) + repr(vars(e)) for key in ("0a1b2c3d4e5f6a7b", "zyxwvutsrq")))""", [2, False]),
    ("a base_url that is none", """
tell(str(error_of(lambda: chat.Client("sk-test-0123456789", "https://user:secret@h/v1"))))""", ["base_url must begin with http:// or https:// and a host, without user, fragment, blanks or other odd characters"]),
    ("a base_url that is plain, or the endpoint itself", """
def sent_to(base_url):
    c = chat.Client("sk-test-0123456789", base_url, transport=MemoryTransport([DOCUMENT]))
    c.chat("Hi")
    return c.transport.requests[0].url
tell(*map(sent_to, ("http://[::1]:8000/v1/ ", "http://my_host", "https://h/a%2Fb@c/v1/chat/completions/?a[]=b?")))""", ["http://[::1]:8000/v1/chat/completions", "http://my_host/chat/completions", "https://h/a%2Fb@c/v1/chat/completions?a[]=b?"]),
    ("a base_url that would have to be quoted, and others that are none: refused, and not shown", """
odd = ("http://h/" + chr(233), "http://b" + chr(252) + "cher/v1", "http://h:0", "http://h/a b", "http://h" + chr(92) + "@x", "h/v1", "http://h#a", "http://h:123456", "HTTP://h", "http://h/v1" + chr(0x2028) + "x")
told = [error_of(lambda: chat.Client("sk-test-0123456789", url)) for url in odd]
tell({(type(e).__name__, e.path, str(e).partition(" without")[0]) for e in told} == {("PayloadError", "base_url", "base_url must begin with http:// or https:// and a host,")}, len(told))""", [True, 10]),
    ("a port that is none: refused at the first call", """
e = error_of(lambda: chat.Client("sk-test-0123456789", "http://127.0.0.1:99999/v1", max_retries=0).chat("Hi"))
tell(type(e).__name__, "range" in str(e))""", ["PayloadError", True]),
    ("a query in base_url", """
c = chat.Client("sk-test-0123456789", "https://api.example/v1?&api-version=7&", transport=MemoryTransport([DOCUMENT]))
c.chat("Hi")
tell(c.transport.requests[0].url)""", ["https://api.example/v1/chat/completions?api-version=7"]),
    ("a header that forges another", """
tell(str(error_of(lambda: client().chat("Hi", extra_headers={"X-A": "a" + chr(10) + "X-B: b"}))))""", ["header 'X-A' cannot be sent: " + RULE]),
    ("a key with more around it", """
tell(*(str(error_of(lambda: chat.Client(key))) for key in ("Bearer sk-1", "sk-1" + chr(0x2026))))""", ["the API key cannot be sent: " + RULE] * 2),
    ("no key at all, which the server may want", """
c = chat.Client(transport=MemoryTransport([reply(status=401, body={"error": {"message": "You didn't provide an API key."}})]))
e = error_of(lambda: c.chat("Hi"))
tell(str(e), "authorization" in chat.Headers(c.transport.requests[0].headers))""", ["401 Unauthorized: You didn't provide an API key.", False]),
    ("a proxy that is named", """
import os
os.environ.update(HTTPS_PROXY="http://p:1", NO_PROXY="api.example")
e = error_of(lambda: chat.Client("sk-test-0123456789", "https://api.example/v1").models())
tell(type(e).__name__, e.feature)""", ["NotInThisCopy", "proxies"]),
    ("a proxy that is named for another scheme, or in vain", """
import os, socket
def getaddrinfo(host, *_):
    raise socket.gaierror(-2, f"asked for {host}")
socket.getaddrinfo = getaddrinfo
os.environ.update(HTTPS_PROXY="http://p:1", ALL_PROXY="", NO_PROXY="x")
e = error_of(lambda: chat.Client("sk-test-0123456789", "http://api.example/v1", max_retries=0).models())
tell("asked for api.example" in str(e))""", [True]),
    ("a proxy for all, and a server on this machine", """
import os, socket
os.environ["all_proxy"] = "http://p:1"
with socket.create_server(("127.0.0.1", 0)) as gone:
    url = f"http://127.0.0.1:{gone.getsockname()[1]}/v1"
e = error_of(lambda: chat.Client("sk-test-0123456789", url, max_retries=0).models())
tell("Connection refused" in str(e))""", [True]),
    ("a proxy of the caller's, for whatever", f"""
from {NAME}.transport.stdlib_transport import StdlibTransport
door = StdlibTransport(proxies={{"http": "http://p:1"}})
tell(str(error_of(lambda: chat.Client("sk-test-0123456789", "http://127.0.0.1:9/v1", transport=door).models())))""", ["this copy was made without proxies; make it again with `scripts/vendor --with proxies`"]),
    ("tool calls told apart by their index, in a stream", """
a, b = ({"index": i, "id": f"c{i}", "type": "function", "function": {"name": "f", "arguments": "{"}} for i in (0, 1))
more = [{"index": i, "function": {"arguments": "}"}} for i in (1, 0)]
tell(streamed({"tool_calls": [a, b]}, {"tool_calls": more}).tool_calls)""", [[
        {"id": f"c{i}", "type": "function", "function": {"name": "f", "arguments": "{}"}} for i in (0, 1)]]),
    ("tool calls without an index, or with that of another: each a call of its own, as it came", """
parts = [{"id": "a", "function": {"name": "f", "arguments": "{}"}}, {"id": "b", "function": {"name": "g", "arguments": {"x": 1}}},
         {"index": 0, "id": "c", "function": {"name": "h"}}]
tell(streamed(*({"tool_calls": [part]} for part in parts)).tool_calls)""", [[
        {"id": "a", "function": {"name": "f", "arguments": "{}"}},
        {"id": "b", "function": {"name": "g", "arguments": {"x": 1}}}, {"id": "c", "function": {"name": "h"}}]]),
    ("content in parts: all as it came, and of its text what is no part", """
thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}
r = streamed({"content": "So "}, {"content": [thought]}, {"content": [{"type": "text", "text": "Hel"}]}, {"content": "lo"})
tell(r.text, r.reasoning, r["choices"][0]["message"]["content"])""", ["So lo", "", [
        "So ", {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}, {"type": "text", "text": "Hel"}, "lo"]]),
    ("a growing message in place of deltas: no pieces, and the last one in the reply", """
s = client(reply(pieces=sse(*({"choices": [{"index": 0, "message": {"content": text}, "finish_reason": "stop"}]}
                              for text in ("Paris", "Paris is big."))))).stream("Hi")
tell(list(s), s.reply.text)""", [[], "Paris is big."]),
    ("usage in odd places stays there", """
told = {"prompt_tokens": 1}
s = client(reply(pieces=sse({"choices": [{"index": 0, "delta": {"content": "a"}, "usage": told}], "x_groq": {"usage": told}}, "[DONE]"))).stream("Hi")
r = s.read()
tell(r.usage, r["choices"][0]["usage"] == told == r["x_groq"]["usage"])""", [None, True]),
    ("a character cut in two: both halves as they came, joined in a message that is sent back", """
halves = [chr(0xD83C), chr(0xDF89)]
chunks = [json.dumps({"choices": [{"index": 0, "delta": {"content": half}}]}) for half in halves]
s = client(reply(pieces=["".join(f"data: {chunk}\\n\\n" for chunk in [*chunks, "[DONE]"]).encode()])).stream("Hi")
tell(list(s) == halves, s.reply.text == "".join(halves), s.reply.message["content"] == chr(0x1F389))""", [True, True, True]),
    ("choices without an index are the first; where none is the first, its text comes at the end", """
s = client(reply(pieces=sse({"choices": [{"delta": {"content": "a"}}]}, {"choices": [{"index": "0", "delta": {"content": "b"}}]}, "[DONE]"))).stream("Hi")
t = client(reply(pieces=sse(*({"choices": [{"index": 1, "delta": {"content": text}}]} for text in "cd"), "[DONE]"))).stream("Hi")
tell(list(s), len(s.reply.choices), list(t), t.reply.text)""", [["a", "b"], 1, ["cd"], "cd"]),
    ("all that OpenAI streams: refusal, function_call, audio, logprobs, two choices", """
deltas = [{"role": "assistant", "content": None, "refusal": ""}, {"refusal": "I "}, {"refusal": "can't."},
          {"function_call": {"name": "f", "arguments": ""}}, {"function_call": {"arguments": "{"}}, {"function_call": {"arguments": "}"}},
          {"audio": {"id": "au", "data": "QU"}}, {"audio": {"data": "JD", "transcript": "Hel"}}, {"audio": {"transcript": "lo", "expires_at": 9}}]
more = [{"index": 1, "delta": {"content": text}, "logprobs": {"content": [{"token": text}], "refusal": None}} for text in ("Bo", "b", "!")]
end = [{"index": index, "delta": {}, "logprobs": None, "finish_reason": "stop"} for index in (1, 0)]
parts = [*({"index": 0, "delta": delta, "finish_reason": None} for delta in deltas), *more, *end]
s = client(reply(pieces=sse(*({"id": "c1", "choices": [part], "usage": None} for part in parts), {"choices": [], "usage": {"total_tokens": 3}}, "[DONE]"))).stream("Hi", n=2)
r = s.read()
tell(r.choices[0].message, r.refusal, r.texts, r.choices[1].logprobs, [choice.finish_reason for choice in r.choices], r.usage.total_tokens, r.complete)""", [
        {"role": "assistant", "content": None, "refusal": "I can't.", "function_call": {"name": "f", "arguments": "{}"},
         "audio": {"id": "au", "data": "QUJD", "transcript": "Hello", "expires_at": 9}}, "I can't.", ["", "Bob!"],
        {"content": [{"token": "Bo"}, {"token": "b"}, {"token": "!"}], "refusal": None}, ["stop", "stop"], 3, True]),
    ("a reply that is copied and pickled", """
import copy, pickle
r = client(DOCUMENT).chat("Hi")
twins = [copy.copy(r), copy.deepcopy(r), pickle.loads(pickle.dumps(r))]
tell([twin == r and twin.choices[0].message.content == twin.text and twin.attempts == 1 for twin in twins])""", [[True] * 3]),
    ("a whole answer of another server: all as it came, read where OpenAI has it", """
message = {"content": [{"type": "refusal", "refusal": "No."}, "Hi"], "reasoning": "Hm",
           "tool_calls": [{"index": 0, "function": {"name": "f", "arguments": {}}}]}
r = chat.Reply({"choices": [{"index": 1, "message": {}}, {"index": 0, "message": message}]})
tell(r.text, r.reasoning, r.refusal, r.tool_calls, r["choices"][1]["message"] == message)""", [
        "Hi", "", None, [{"index": 0, "function": {"name": "f", "arguments": {}}}], True]),
    ("entries of a list that have an index: all of them, as they came", """
details = [{"type": "reasoning.text", "text": text, "index": 0} for text in "ab"]
told = streamed(*({"reasoning_details": [detail]} for detail in details))
tell(told.choices[0].message.reasoning_details == details)""", [True]),
    ("a message to be sent back: what OpenAI takes", """
message = {"role": "assistant", "content": None, "refusal": None, "annotations": [], "reasoning_content": "Hm",
           "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": {"x": 1}}}]}
tell(chat.Reply({"choices": [{"message": message}]}).message)""", [{"role": "assistant", "content": None, "tool_calls": [
        {"id": "a", "function": {"name": "f", "arguments": {"x": 1}}}]}]),
    ("a field that is not there", """
r = client(DOCUMENT).chat("Hi")
tell(r.choices[0].message.tool_calls, r.usage.prompt_tokens_details, str(error_of(lambda: r.content)))""", [
        None, None, "no field 'content' in the reply; there are: id, model, choices, usage"]),
    ("the repr of a reply: its names, and no value", """
tell(repr(client(DOCUMENT).chat("Hi")))""", ["<Reply keys: id, model, choices, usage>"]),
    ("an error that features alone raise, and the schedule of tutorials", """
tell(*(error_of(lambda: getattr(chat, name)).feature for name in ("BudgetExceeded", "backoff_delays")))""", [
        "feature_errors", "rate_limits"]),
    ("a wait in Microsoft's header: the usual back-off", """
c = client(reply(status=429, headers={"x-ms-retry-after-ms": "7000"}), DOCUMENT)
tell(c.chat("Hi").attempts, c.transport.sleeps[0] <= 0.5)""", [2, True]),
    ("a wait in milliseconds, before one in seconds", """
c = client(reply(status=429, headers={"retry-after-ms": "1187", "retry-after": "2"}), DOCUMENT)
tell(c.chat("Hi").attempts, c.transport.sleeps)""", [2, [1.187]]),
    ("the name of a request, where OpenAI has it and where others do", """
es = [error_of(lambda: client(reply(status=400, headers={n: "r1"})).chat("Hi")) for n in ("X-Request-Id", "CF-Ray")]
tell([e.request_id for e in es], es[1].headers["cf-ray"])""", [["r1", None], "r1"]),
    ("a name of the face that was left out", """
tell(str(error_of(lambda: chat.ChatSession)))""", ["this copy was made without session; make it again with `scripts/vendor --with session`"]),
    ("bodies without gzip: none is asked for", """
c = client(DOCUMENT)
c.chat("Hi")
tell(chat.Headers(c.transport.requests[0].headers)["Accept-Encoding"])""", ["identity"]),
    ("a compressed answer, which nobody asked for: an error in its head, and the connection is let go", """
import socket, threading
def serve(server):
    for coding in (b"identity", b"gzip"):
        near, _ = server.accept()
        with near:
            while not near.recv(65536).endswith(b"}"):
                pass
            near.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Encoding: %b\\r\\nConnection: close\\r\\n\\r\\n" % coding + body)
body = json.dumps(DOCUMENT).encode()
with socket.create_server(("127.0.0.1", 0)) as server:
    threading.Thread(target=serve, args=(server,), daemon=True).start()
    c = chat.Client("sk-test-0123456789", f"http://127.0.0.1:{server.getsockname()[1]}/v1", max_retries=0)
    text = c.chat("Hi").text
    e = error_of(lambda: c.chat("Hi"))
    tell(text, type(e).__name__, e.phase, str(e).partition(" failed: ")[2])""", [
        "Hello!", "APIConnectionError", "head", "it is compressed (gzip), though identity was asked for"]),
    ("headers made by hand: checked as all are, one name twice is one field", f"""
from {NAME}.transport.failures import check_headers
pairs = ("X-A", "1"), ("x-a", "2")
tell(check_headers(pairs), str(error_of(lambda: check_headers((*pairs, ("X-B", "a" + chr(10) + "X-C: d"))))))""", [
        {"x-a": "1, 2"}, "header 'x-b' cannot be sent: " + RULE]),
    ("a server that is not there, without advice", """
import socket
with socket.create_server(("127.0.0.1", 0)) as gone:
    port = gone.getsockname()[1]
c = chat.Client("sk-test-0123456789", f"http://127.0.0.1:{port}/v1", max_retries=0)
tell(str(error_of(c.models)).replace(str(port), "PORT"))""", ["the call to 127.0.0.1:PORT failed: Connection refused"]),
    ("silence, with its figure", """
import socket
with socket.create_server(("127.0.0.1", 0)) as silent:
    port = silent.getsockname()[1]
    c = chat.Client("sk-test-0123456789", f"http://127.0.0.1:{port}/v1", max_retries=0, timeout=0.01)
    tell(*(str(error_of(c.models)).replace(str(port), "PORT"), type(error_of(c.models)).__name__))""", [
        "no answer from 127.0.0.1:PORT within 0.01 s", "APITimeoutError"]),
]  # fmt: skip


@pytest.mark.parametrize("program, expected", [row[1:] for row in PROGRAMS], ids=[row[0] for row in PROGRAMS])
def test_the_core_works_alone(core, program, expected):
    """Chats, streams, tries again and explains."""
    assert core(program) == expected


JUDGE = """
from {name}.protocol.status import classify_error, error_from
def facts(verdict):
    error = error_from(verdict)
    return [type(error).__name__, error.retryable, str(error), verdict.kind, error.code, error.type, error.param]
answers = [facts(chat.classify(*row[:2], bytes.fromhex(row[2]))) for row in {answers}]
inside = [classify_error(row["error"], whole=row).retry for row in {inside}]
tell(answers, inside)"""


def test_openais_own_errors_are_judged_as_in_the_whole_package(core):
    """Kind, class, words and the next attempt of an answer; and whether there is one after an error inside a 200."""
    own = (
        "OpenAI",
        "the server",
        "x-should-retry",
        "relay, quota",
        "Azure, code",
        "408",
        "409",
        "JSON cut",
        "103",
    )
    answers = [(*row[1:3], as_bytes(row[3])) for row in ROWS if row[0].startswith(own) and "nothing" not in row[0]]
    answers += [(number, {}, b"") for number in STATUSES if number >= 300]
    said = [("server_error", None), ("invalid_request_error", None), ("insufficient_quota", "insufficient_quota")]
    said += [("tokens", "rate_limit_exceeded"), ("invalid_request_error", "context_length_exceeded"), (None, None)]
    inside = [{"error": {"message": "no", "type": kind, "param": None, "code": code}} for kind, code in said]

    program = JUDGE.format(name=NAME, answers=[(*row[:2], row[2].hex()) for row in answers], inside=inside)
    verdicts = [classify(*row)._replace(hint="") for row in answers]
    made = [error_from(verdict) for verdict in verdicts]
    assert core(program) == [
        [
            [type(error).__name__, error.retryable, str(error), verdict.kind, error.code, error.type, error.param]
            for error, verdict in zip(made, verdicts)
        ],
        [classify_error(document["error"], whole=document).retry for document in inside],
    ]


LEFT_OUT = [
    ("parse", 'client().parse("Hi", {"type": "object"})'),
    ("embed", 'client().embed("Hi")'),
    ("requests", 'chat.Client("sk-test-0123456789", transport="requests")'),
    ("pyodide", 'chat.Client("sk-test-0123456789", transport="pyodide")'),
    ("query", 'client().chat("Hi", extra_query={"a": 1})'),
    ("query", 'chat.Client("sk-1", query={"a": 1}, transport=MemoryTransport([])).chat("Hi")'),
    ("events", "client(listeners=[print])"),
    ("events", "client().with_options(listeners=[print])"),
    ("events", "client().listen(print)"),
    ("events", "chat.Sending"),
    ("cost", "client(cost_tracker=object())"),
    ("proxies", '__import__("os").environ.update(ALL_PROXY="http://p:1") or chat.Client("k" * 20).models()'),
    ("azure", 'chat.Client.azure("https://n.example", "d", "v", api_key="k" * 20)'),
]


@pytest.mark.parametrize("feature, call", LEFT_OUT, ids=[row[0] for row in LEFT_OUT])
def test_a_method_whose_room_was_left_out_names_it(core, feature, call):
    """The error is ours, says how to get the feature, and is an ImportError too."""
    text = f"this copy was made without {feature}; make it again with `scripts/vendor --with {feature}`"
    told = core(f"e = error_of(lambda: {call})\ntell(str(e), e.feature, isinstance(e, ImportError))")
    assert told == [text, feature, True]


def test_a_feature_asked_for_is_there(tmp_path):
    """With what it needs, and the rest still absent."""
    run = copy_of(tmp_path, "memory", "parse", "hints")
    answer = {"choices": [{"index": 0, "message": {"content": '{"a": 1}'}, "finish_reason": "stop"}]}
    assert run(f'tell(client({answer!r}).parse("Hi", {{"type": "object"}}).parsed)') == [{"a": 1}]
    assert "/v1" in run('tell(error_of(lambda: client(reply(status=404)).chat("Hi")).hint)')[0]
    assert not (tmp_path / NAME / "session.py").exists()


def test_a_query_without_cures(tmp_path):
    """Half a character cannot be written, whoever says so; the rest is written as ever."""
    run = copy_of(tmp_path, "memory", "query")
    assert run('tell(str(error_of(lambda: client().chat("Hi", extra_query={"a": chr(0xD800)}))))') == [
        'the query parameter "a" holds half a character, which UTF-8 cannot write'
    ]
    program = """
c = client(DOCUMENT)
c.chat("Hi", extra_query={"a": [1, True], "b": {"c": "d"}})
tell(c.transport.requests[0].url)"""
    assert run(program) == ["https://api.example/v1/chat/completions?a[]=1&a[]=true&b[c]=d"]


@pytest.mark.parametrize("feature", [feature.name for feature in floors.OPTIONAL])
def test_each_feature_can_be_imported_alone(tmp_path, feature):
    """Its modules bring along what they need, also to make a call."""
    run = copy_of(tmp_path, "memory", feature)
    modules = next(row.modules for row in floors.OPTIONAL if row.name == feature)
    names = [
        path[:-3].replace("/", ".").replace(".__init__", "") for path in modules if not path.endswith("__main__.py")
    ]
    program = f"""
import importlib
for name in {names!r}: importlib.import_module('{NAME}.' + name)
tell(client(DOCUMENT).chat("Hi").text)"""
    assert run(program) == ["Hello!"]


def test_a_copy_with_cost_says_what_a_call_cost(tmp_path):
    """And one that was made for embeddings, which bring the prices along, does not."""
    program = 'tell(client(DOCUMENT).chat("Hi").cost)'
    assert copy_of(tmp_path / "with", "memory", "cost")(program) == [0.00045]
    assert copy_of(tmp_path / "without", "memory", "embed")(program) == [None]


@pytest.mark.parametrize("feature", ["session", "batch", "lab"])
def test_what_counts_by_itself_brings_what_it_counts_with(tmp_path, feature):
    """A client takes a tracker there, for these have one of their own."""
    program = """
from importlib import import_module
tracker = import_module(chat.__name__ + ".protocol.tracker").CostTracker()
client(DOCUMENT, cost_tracker=tracker).chat("Hi")
tell(tracker.total_cost)"""
    assert copy_of(tmp_path, "memory", feature)(program) == [0.00045]


def test_a_copy_with_dialects_asks_again(tmp_path):
    """Without the option that the server refused."""
    run = copy_of(tmp_path, "memory", "dialects")
    program = """
c = client(reply(status=400, body={"error": {"message": "no such field", "param": "stream_options"}}), ["Hi", "[DONE]"])
tell(list(c.stream("Hi")), "stream_options" in c.transport.json(1))"""
    assert run(program) == [["Hi"], False]


@pytest.mark.parametrize("room", ["protocol/coding.py", "transport/proxies.py"])
def test_what_http_client_cannot_do_brings_the_sockets_along(room):
    """Compression would be asked for and not undone, a proxy passed by."""
    for feature in floors.OPTIONAL:
        modules = floors.copied(PACKAGE, [feature.name])
        assert room not in modules or "transport/sockets.py" in modules, feature.name


def test_a_feature_has_one_row():
    """Of two rows with one name, the later would hide the earlier."""
    names = [feature.name for feature in floors.OPTIONAL]
    assert len(names) == len(set(names))


def test_every_module_has_its_place():
    """In the core or in a feature: nothing is out of a copy's reach."""
    everything = set(floors.copied(PACKAGE, [feature.name for feature in floors.OPTIONAL]))
    assert set(floors.order()) - everything == set()


def test_the_core_needs_nothing_optional_to_be_imported():
    """Else `copied` would take it along, and the core would grow unseen."""
    optional = {module for feature in floors.OPTIONAL for module in feature.modules}
    assert optional.isdisjoint(floors.copied(PACKAGE))


def test_the_features_named_in_the_code_are_those_of_the_list():
    """`with optional("parse")` promises that --with parse brings it."""
    named = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("optional", "left_out")
                and isinstance(node.args[0], ast.Constant)
            ):
                named.add(node.args[0].value)
    assert named == {row[0] for row in LEFT_OUT}
    assert named <= {feature.name for feature in floors.OPTIONAL}


def test_an_import_that_fails_for_another_reason_passes():
    """A package that a feature needs is not ours to bring."""
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        with module("protocol.optional").optional("parse"):
            import no_such_package  # noqa: F401
