"""No secret is shown or stored: one set of calls that are full of keys, and everything that tells of them, searched.

To add a way of telling (a report, an export), add a row to PRODUCERS: a function that plays the scenes as it likes and
gives all the text that came out. To add a secret, give it a name in SECRETS and put it on the wire in a scene.
"""

import base64
import contextlib
import io
import json
import logging
import traceback
from typing import Any, Dict, List, NamedTuple, Tuple
from urllib.parse import quote

import pytest

from . import forms, module, rawchat
from .script_server import ScriptServer
from .scripts import GOOD, Answer, delta, failure, stream, whole
from .tapped import RawClient, tapped

log = module("log")
memory = module("transport.memory")
sdk = module("sdk")
talk = module("talk")
cassette = module("lab.cassette")
library_recorder = module("lab.library_recorder")
recording = module("lab.recording")
replay_transport = module("lab.replay_transport")
trace = module("lab.trace")

# Most have no shape that would give them away: they are secrets because of the place where they stand.
SECRETS = {
    "the key": "Auth0rizationOfNoShape",
    "api-key header": "4zureHeaderOfNoShape",
    "x-api-key header": "Ap1HeaderOfNoShape",
    "cookie": "C00kieOfNoShape",
    "cookie of the answer": "S3tCookieOfNoShape",
    "query of base_url": "Qu3ryOfNoShape",
    "query of one call": "Acc3ssTokenOfNoShape",
    "field of the body": "B0dyFieldOfNoShape",
    "text of a message": "sk-proj-m3ssage0123456789",
    "the server's own": "sk-proj-s3rver0123456789",
    "query of a redirect": "L0cationQueryOfNoShape",
    "password of a redirect": "L0cationPasswordOfNoShape",
    "password of base_url": "B4sePasswordOfNoShape",
    "password of a proxy": "Pr0xyPasswordOfNoShape",
    "key that is refused": "R3fusedKeyOfNoShape",
    "query in a chain of errors": "Ch41nSignatureOfNoShape",
}
SERVERS_OWN = SECRETS["the server's own"]
SENT = ["the key", "api-key header", "x-api-key header", "cookie", "query of base_url", "query of one call"]
SENT += ["field of the body", "text of a message"]
ECHO = "you sent " + ", ".join(SECRETS[name] for name in SENT) + f"; ours is {SERVERS_OWN}"


class Scene(NamedTuple):
    """One call. `answers` are what its attempts meet: an Answer, or what makes a scripted one."""

    name: str
    answers: Tuple[Any, ...]
    way: str = "chat"


def chained():
    """A door's error with what lies behind it. Made anew each time: an error remembers where it was raised."""
    error = ConnectionResetError(f"cannot open https://u:{SECRETS['password of a proxy']}@gate.example/")
    error.__cause__ = OSError(f"no route to https://gate.example/?sig={SECRETS['query in a chain of errors']}")
    return error


REDIRECT = (
    f"http://me:{SECRETS['password of a redirect']}@127.0.0.1:9/login?token={SECRETS['query of a redirect']}&next=/v1"
)
ANSWER_HEADERS = {
    "Content-Type": "application/json",
    "Set-Cookie": f"session={SECRETS['cookie of the answer']}; Path=/",
    "X-Debug": f"key {SERVERS_OWN}",
}
SCENES = [
    Scene("a good answer", (whole()._replace(headers=ANSWER_HEADERS),)),
    Scene("a good stream", (GOOD._replace(headers={**ANSWER_HEADERS, **GOOD.headers}),), "stream"),
    Scene("401 that quotes", (failure(401, ECHO, ANSWER_HEADERS),)),
    Scene("401 of plain text", (Answer(401, {"Content-Type": "text/plain"}, (ECHO.encode(),)),)),
    Scene("401 whose code quotes", (failure(401, "no", code=ECHO, type=SECRETS["the key"], param=SECRETS["cookie"]),)),
    Scene("429 that quotes, then good", (failure(429, ECHO, {"Retry-After": "1"}), whole())),
    Scene("a redirect", (Answer(307, {"Location": REDIRECT}),)),
    Scene("a page in place of an answer", (Answer(200, {"Content-Type": "text/html"}, (f"<title>{ECHO}</title>".encode(),)),)),
    Scene("an error event", (stream({"error": {"message": ECHO, "code": 400}}),), "stream"),
    Scene("an error event after text", (stream(delta("Once"), {"error": {"message": ECHO, "code": 503}}),), "stream"),
    Scene("an error event of text", (stream(delta("Once"), {"error": ECHO}),), "stream"),
    Scene("text that quotes", (stream(delta(f"is {SERVERS_OWN} yours?"), delta(finish="stop"), "[DONE]"),), "stream"),
    Scene("a stream that ends inside a quotation", (Answer(200, GOOD.headers, (*GOOD.pieces[:1], f'data: {{"error":{{"message":"{ECHO}'.encode())),), "stream"),
    Scene("no answer", (chained, chained)),
    Scene("a break with a long tale", (lambda: memory.reply(pieces=list(GOOD.pieces[:1]), error=chained()),), "stream"),
]  # fmt: skip


class Outcome:
    """What came of a scene: the client, what it gave, what it raised, and what crossed the wire."""

    def __init__(self):
        self.objects: List[Any] = []
        self.events: List[Any] = []
        self.errors: List[BaseException] = []
        self.wire: List[bytes] = []


class Play:
    """Plays the scenes. `outcomes` of the last play are kept."""

    def __init__(self):
        self.outcomes: List[Outcome] = []

    def __call__(self, listeners=(), *, around=lambda transport: transport, only=None) -> List[Outcome]:
        """All scenes (or those named), with these listeners and `around` put around each transport."""
        self.outcomes = [self.scene(scene, listeners, around) for scene in SCENES if not only or scene.name in only]
        if not only:
            self.outcomes += [at_the_door(listeners), through_a_proxy(listeners)]
        return self.outcomes

    def scene(self, scene, listeners, around) -> Outcome:
        outcome = Outcome()
        transport = memory.MemoryTransport([as_reply(answer) for answer in scene.answers])
        client = client_over(around(transport), [outcome.events.append, *listeners])
        outcome.objects = [client, client.settings, client.transport]
        try:
            outcome.objects += ask(client, scene.way)
        except rawchat.RawChatError as error:
            outcome.errors.append(error)
        for request in transport.requests:
            outcome.wire += [request.url.encode(), repr(request.headers).encode("latin-1"), request.body]
        outcome.wire += [in_full(answer).encode() for answer in scene.answers]
        return outcome


def as_reply(answer):
    if not isinstance(answer, Answer):
        return answer()
    return memory.reply(status=answer.status, headers=answer.headers, pieces=list(answer.pieces))


def in_full(answer):
    """An answer with all that it holds, the causes of an error, too."""
    if isinstance(answer, Answer):
        return repr(answer)
    made = answer()
    error = getattr(made, "error", made)
    return f"{error!r} {error.__cause__!r}"


CALL: Dict[str, Any] = {
    "extra_query": {"access_token": SECRETS["query of one call"]},
    "extra_body": {"api_key": SECRETS["field of the body"]},
}
SETTINGS: Dict[str, Any] = {
    "headers": {
        "api-key": SECRETS["api-key header"],
        "X-Api-Key": SECRETS["x-api-key header"],
        "Cookie": f"session={SECRETS['cookie']}; theme=dark",
    },
    "max_retries": 1,
}
BASE_URL = f"http://127.0.0.1:9/v1?key={SECRETS['query of base_url']}"
PROMPT = f"My key is {SECRETS['text of a message']}, is it not?"


def client_over(transport, listeners=(), base_url=BASE_URL):
    return rawchat.Client(SECRETS["the key"], base_url, transport=transport, listeners=listeners, **SETTINGS)


def ask(client, way):
    if way == "chat":
        return [client.chat(PROMPT, **CALL)]
    with client.stream(PROMPT, **CALL) as answer:
        for _ in answer:
            pass
    return [answer, answer.reply]


def at_the_door(listeners):
    """What is refused before anything is sent."""
    outcome = Outcome()
    wrong = [
        {"base_url": f"https://me:{SECRETS['password of base_url']}@127.0.0.1/v1"},
        {"base_url": f"me:{SECRETS['password of base_url']}@127.0.0.1/v1"},
        {"base_url": f"https://me:{SECRETS['password of base_url']}/x@127.0.0.1:port/v1"},
        {"api_key": f"{SECRETS['key that is refused']}\nX: y"},
        {"api_key": f"{SECRETS['key that is refused']}→"},
        {"api_key": lambda: f"{SECRETS['key that is refused']}\n"},
        {"headers": {"X-Api-Key": f"{SECRETS['key that is refused']}\nX: y"}},
        {"api_key": None, "base_url": f"https://model.invalid/v1?key={SECRETS['query of base_url']}"},
        {"transport": f"http://me:{SECRETS['password of a proxy']}@127.0.0.1"},
    ]
    for given in wrong:
        settings = {"api_key": "k-12345", "base_url": "http://127.0.0.1/v1", "listeners": listeners, **given}
        settings.setdefault("transport", memory.MemoryTransport([{}]))
        outcome.wire.append(repr(given).encode())
        with contextlib.suppress(TypeError):
            try:
                rawchat.Client(**settings).chat(PROMPT)
            except rawchat.RawChatError as error:
                outcome.errors.append(error)
    assert len(outcome.errors) >= 7
    return outcome


def through_a_proxy(listeners):
    """A proxy that is not there, with a password in its address."""
    outcome = Outcome()
    proxies = {"http": f"http://me:{SECRETS['password of a proxy']}@127.0.0.1:1"}
    transport = forms.door_class(module)(proxies=proxies)
    with contextlib.closing(transport):
        client = client_over(
            transport, [outcome.events.append, *listeners], BASE_URL.replace("127.0.0.1:9", "model.invalid")
        )
        client = client.with_options(max_retries=0)
        outcome.objects = [client, client.settings, transport]
        with pytest.raises(rawchat.APIConnectionError) as caught:
            client.chat(PROMPT)
    outcome.errors.append(caught.value)
    return outcome


# ---- the ways of telling. Each gets `play` and a folder of its own, and gives all that it showed or stored.


def reprs(play, folder):
    outcomes = play()
    return "\n".join(repr([*one.objects, *one.events, *one.errors]) for one in outcomes)


def strs_of_errors(play, folder):
    return "\n".join(str(error) for outcome in play() for error in outcome.errors)


def tracebacks(play, folder):
    """With every cause and context, as Python prints them."""
    errors = [error for outcome in play() for error in outcome.errors]
    return "".join(
        line for error in errors for line in traceback.format_exception(type(error), error, error.__traceback__)
    )


def told_to_people(play, folder):
    """What the command line says of an error."""
    out = io.StringIO()
    with contextlib.redirect_stderr(out):
        for outcome in play():
            for error in outcome.errors:
                talk.tell_error(error, verbose=True)
    return out.getvalue()


def traces(play, folder):
    out = io.StringIO()
    play([trace.Trace(out), trace.Trace(out, full=True), trace.Trace(out, bodies=False)])
    return out.getvalue()


def retry_notices(play, folder):
    out = io.StringIO()
    play([trace.RetryNotice(out, 1)])
    return out.getvalue()


def log_lines(bodies):
    def lines(play, folder):
        out = io.StringIO()
        logger = logging.Logger("secrets", logging.DEBUG)
        handler = logging.StreamHandler(out)
        handler.setFormatter(EverythingFormatter())
        logger.addHandler(handler)
        play([log.LogListener(logger, bodies=bodies)])
        return out.getvalue()

    return lines


class EverythingFormatter(logging.Formatter):
    """The line, and every field of the record: structured logs write them all."""

    def format(self, record):
        return f"{super().format(record)} {vars(record)!r}"


def batch_files(play, folder):
    """What a batch run writes beside the answers: its errors."""
    rows = []
    body = {"model": "m", "messages": [{"role": "user", "content": PROMPT}], **CALL["extra_body"]}
    for number, scene in enumerate(SCENES):
        rows.append(scene.name)
        source, target = folder / f"{number}.in.jsonl", folder / f"{number}.out.jsonl"
        row = {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": body}
        source.write_text(json.dumps(row) + "\n")
        transport = memory.MemoryTransport([as_reply(answer) for answer in scene.answers] * 4)
        if scene.way == "chat":
            run = rawchat.run_batch(
                client_over(transport).with_options(query=CALL["extra_query"]), source, target, workers=1
            )
            rows.append(repr(run))
    return "\n".join([*rows, *(path.read_text() for path in folder.glob("*.out.jsonl*"))])


def cache_files(play, folder):
    """What a cache keeps of good answers."""
    play(
        around=lambda transport: rawchat.CachingTransport(transport, folder=folder, only_deterministic=False),
        only=["a good answer"],
    )
    return "\n".join(f"{path} {path.read_bytes()!r}" for path in folder.rglob("*") if path.is_file())


def sdk_face(play, folder):
    """The same under the SDK's shape: reprs and errors."""
    told = []
    for scene in SCENES:
        transport = memory.MemoryTransport([as_reply(answer) for answer in scene.answers])
        client = sdk.OpenAI(
            api_key=SECRETS["the key"], base_url=BASE_URL, default_headers=SETTINGS["headers"], transport=transport,
            max_retries=1,
        )  # fmt: skip
        told.append(repr(client))
        try:
            client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": PROMPT}], **CALL, stream=scene.way == "stream"
            )
        except sdk.OpenAIError as error:
            told += traceback.format_exception(type(error), error, error.__traceback__)
    return "\n".join(told)


def cassettes(play, folder):
    """A recording of it all, and what a replay of it says of requests that it does not hold."""
    path = folder / "calls.jsonl"
    with cassette.CassetteWriter(str(path)) as writer:
        recorder = library_recorder.LibraryRecorder(recording.Recording([writer], source="library"))
        play([recorder])
        recorder.close()
    told = [path.read_text(encoding="utf-8")]
    read = cassette.read_cassette(str(path))
    told += [repr(vars(exchange)) + repr(exchange.error()) for exchange in read.exchanges]
    door = replay_transport.ReplayTransport(cassette.Cassette("one.jsonl", read.exchanges[:1], []))
    with pytest.raises(rawchat.CassetteMiss) as caught:
        client_over(door).chat(PROMPT, **{**CALL, "extra_body": {**CALL["extra_body"], "seed": 7}})
    told.append(str(caught.value))
    return "\n".join(told)


LAB_COMMANDS = ("show", "explain --all", "curl", "curl --exact", "python", "python --exact", "har")


def lab(play, folder):
    """Every command of the lab over a recording of it all."""
    path = str(folder / "calls.jsonl")
    with cassette.CassetteWriter(path) as writer:
        recorder = library_recorder.LibraryRecorder(recording.Recording([writer], source="library"))
        play([recorder])
        recorder.close()
    numbers = [exchange.number for exchange in cassette.read_cassette(path).exchanges]
    lines = [f"{command} {path}#{number}" for command in LAB_COMMANDS for number in numbers]
    lines += [f"show --{part} {path}#{number}" for part in ("raw", "request") for number in numbers]
    lines += [f"diff --all {path}#1 {path}#{number}" for number in numbers]
    report, har = folder / "report.html", folder / "calls.har"
    lines += [f"show {path}", f"report {path} -o {report}", f"har {path} -o {har}", f"har {har} -o {path}.back"]
    told = [said_by(line) for line in lines]
    return "\n".join(
        [*told, *(file.read_text(encoding="utf-8") for file in (report, har, folder / "calls.jsonl.back"))]
    )


def said_by(line):
    """What a command prints. An error is a way of telling, too."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        module("cli").main(line.split())
    return f"$ {line.partition(' ')[0]}\n{out.getvalue()}"


def at_the_tap(play, folder):
    """A tap between a client full of keys and a server that quotes them; its screen, its file and its live page."""
    out = io.StringIO()
    quoting = [answer for scene in SCENES for answer in scene.answers if isinstance(answer, Answer)]
    path = folder / "tapped.jsonl"
    screen = module("lab.tap_screen").Screen(out, show_events=True, show_raw=True, show_requests=True)
    with cassette.CassetteWriter(str(path)) as writer, ScriptServer(quoting) as server:
        query = f"?key={SECRETS['query of base_url']}"
        with tapped(server.url + query, sinks=[writer, screen], live=True) as (tap, records):
            for number in range(1, len(quoting) + 1):
                with RawClient(tap.port) as client:
                    client.send(keyed_request()).until(b"\r\n0\r\n\r\n")
                records.wait_for("end", number)
            with RawClient(tap.port) as client:
                client.send(f"GET /__tap__/events HTTP/1.1\r\nHost: 127.0.0.1:{tap.port}\r\n\r\n".encode())
                live = client.until(b"event: view")
    return "\n".join([out.getvalue(), path.read_text(encoding="utf-8"), live.data.decode("utf-8", "replace")])


def keyed_request():
    document = {**CALL.get("extra_body", {}), "model": "m", "messages": [{"role": "user", "content": PROMPT}]}
    body = json.dumps(document).encode()
    pairs = {
        "Host": "tap",
        "Authorization": f"Bearer {SECRETS['the key']}",
        "api-key": SECRETS["api-key header"],
        "x-api-key": SECRETS["x-api-key header"],
        "Cookie": f"session={SECRETS['cookie']}",
        "Content-Length": len(body),
    }
    target = f"/v1/chat/completions?access_token={SECRETS['query of one call']}"
    head = "".join(f"{name}: {value}\r\n" for name, value in pairs.items())
    return f"POST {target} HTTP/1.1\r\n{head}\r\n".encode() + body


# name, what tells, a word that must be there: else nothing was told, and nothing could be found
PRODUCERS = [
    ("reprs", reprs, "Sending("),
    ("the text of errors", strs_of_errors, "401"),
    ("tracebacks", tracebacks, "The above exception was the direct cause"),
    ("what the command line says", told_to_people, "401"),
    ("the trace", traces, "< HTTP/1.1 401"),
    ("notices of retries", retry_notices, "429 rate limit"),
    ("the log", log_lines(bodies=False), "status 401"),
    ("the log with bodies", log_lines(bodies=True), "you sent"),
    ("a batch run", batch_files, "status_code"),
    ("a cache's files", cache_files, "Hello."),
    ("a cassette and its replay", cassettes, "seed: absent -> 7"),
    ("the commands of the lab", lab, "characters so far"),
    ("the tap", at_the_tap, "401 bad key"),
    ("the SDK's shape", sdk_face, "401"),
]


@pytest.mark.parametrize("produce, proof", [row[1:] for row in PRODUCERS], ids=[row[0] for row in PRODUCERS])
def test_no_secret_is_told(produce, proof, tmp_path, monkeypatch):
    """Not as it is, not percent-encoded, not in base64."""
    monkeypatch.setattr(memory.MemoryTransport, "sleep", lambda *_: None)
    told = produce(Play(), tmp_path)
    assert proof in told
    assert found_in(told) == []


def found_in(told):
    return [f"{name}: ...{told[max(0, told.index(form) - 80):][:160]}" for name, secret in SECRETS.items() for form in forms_of(secret) if form in told]  # fmt: skip


def forms_of(secret):
    plain = [secret, quote(secret, safe=""), json.dumps(secret)[1:-1]]
    return dict.fromkeys(
        [*plain, base64.b64encode(secret.encode()).decode(), base64.b64encode(f"me:{secret}".encode()).decode()]
    )


def test_every_secret_was_there_to_be_told():
    """The scenes put each of them on the wire, or in the hands of what refuses it."""
    wire = b"\n".join(piece for outcome in Play()() for piece in outcome.wire).decode("utf-8", "replace")
    assert [name for name, secret in SECRETS.items() if secret not in wire and secret not in repr(wire)] == []


def test_the_search_finds_what_is_there():
    """Each form of each secret is found in a text that holds it."""
    for secret in SECRETS.values():
        for form in forms_of(secret):
            assert found_in(f"some words, {form}, and more")
