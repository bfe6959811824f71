"""Which recording answers a request, in which order, and what is said where none does."""

import threading

import pytest

from . import lab_tapes as tapes, module, rawchat

matching = module("lab.matching")
wire = module("protocol.wire")

BODY = b'{"model":"m","messages":[{"role":"user","content":"Gr\\u00fc\\u00dfe"}],"temperature":1,"stream":true}'
URL = "https://api.example.com/v1/chat/completions?api-version=1"
JSON = (("Content-Type", "application/json"),)


def request(body=BODY, url=URL, method="POST", headers=JSON):
    return wire.Request(method, url, headers, body)


def shelf_of(*requests, hiding=None, **options):
    tape = tapes.Tape(**(hiding or {}))
    for one in requests:
        tape.add(None, method=one.method, url=one.url, body=one.body, request_headers=one.headers)
    return matching.Shelf(tape.exchanges, **options)


def fits(recorded, asked, **options):
    try:
        shelf_of(recorded, **options).take(asked)
    except rawchat.CassetteMiss:
        return False
    return True


MULTIPART = b'--%s\r\nContent-Disposition: form-data; name="file"\r\n\r\nabc\r\n--%s--\r\n'


def form(boundary):
    kind = f"multipart/form-data; boundary={boundary}"
    return request(MULTIPART.replace(b"%s", boundary.encode()), headers=(("Content-Type", kind),))


# name, recorded, asked, options, whether it fits
ROWS = [
    ("the same", request(), request(), {}, True),
    (
        "other spacing, order and escapes",
        request(),
        request(
            '{"stream": true, "temperature": 1,\n "messages": [{"content": "Grüße", "role": "user"}], "model": "m"}'.encode()
        ),
        {},
        True,
    ),
    ("1 and 1.0", request(), request(BODY.replace(b":1,", b":1.0,")), {}, True),
    ("1 and true", request(), request(BODY.replace(b":1,", b":true,")), {}, False),
    ("0 and false", request(b'{"n":0}'), request(b'{"n":false}'), {}, False),
    ("absent and null", request(b'{"n":null}'), request(b"{}"), {}, False),
    ("another text", request(), request(BODY.replace(b"Gr", b"gr")), {}, False),
    ("a message more", request(b'{"messages":[1]}'), request(b'{"messages":[1,2]}'), {}, False),
    ("another method", request(method="PUT"), request(), {}, False),
    (
        "another host, and the path behind a gateway",
        request(),
        request(url="http://127.0.0.1:1/api/v1/chat/completions?api-version=1"),
        {},
        True,
    ),
    ("no /v1", request(), request(url="http://127.0.0.1:1/chat/completions?api-version=1"), {}, True),
    ("Google's path", request(), request(url="http://h/v1beta/openai/chat/completions?api-version=1"), {}, True),
    ("another endpoint", request(), request(url="http://h/v1/embeddings?api-version=1"), {}, False),
    ("another query", request(), request(url=URL[:-1] + "2"), {}, False),
    ("another query, ignored", request(), request(url=URL[:-1] + "2"), {"ignore": ["query.api-version"]}, True),
    ("no query, ignored", request(), request(url=URL.partition("?")[0]), {"ignore": ["query.*"]}, True),
    ("a field, ignored", request(), request(BODY.replace(b'"m"', b'"o"')), {"ignore": ["model"]}, True),
    (
        "a field that is absent, ignored",
        request(),
        request(BODY.replace(b'"model":"m",', b"")),
        {"ignore": ["$.model"]},
        True,
    ),
    ("a deep field", request(), request(BODY.replace(b"Gr", b"gr")), {"ignore": ["messages[0].content"]}, True),
    ("all deep fields", request(), request(BODY.replace(b"Gr", b"gr")), {"ignore": ["messages[*].content"]}, True),
    (
        "all fields of an object",
        request(b'{"metadata":{"a":1}}'),
        request(b'{"metadata":{"a":2,"b":3}}'),
        {"ignore": ["metadata.*"]},
        True,
    ),
    ("a body's field named query", request(b'{"query":1}'), request(b'{"query":2}'), {"ignore": ["$.query"]}, True),
    (
        "an ignored path through what is no object",
        request(b'{"a":[1]}'),
        request(b'{"a":[1]}'),
        {"ignore": ["a[0].b.c", "a[7]"]},
        True,
    ),
    ("other headers", request(), request(headers=(*JSON, ("X-A", "1"))), {}, True),
    (
        "a header that counts",
        request(headers=(("X-A", "1"),)),
        request(headers=(("x-a", "2"),)),
        {"headers": ["X-a"]},
        False,
    ),
    (
        "a header that counts, equal",
        request(headers=(("X-A", "1"),)),
        request(headers=(("x-a", "1"),)),
        {"headers": ["X-a"]},
        True,
    ),
    (
        "method and path alone",
        request(),
        request(b"anything", url="http://h/v1/chat/completions"),
        {"by_path": True},
        True,
    ),
    ("method and path alone, another path", request(), request(url="http://h/v1/models"), {"by_path": True}, False),
    ("no body on either side", request(b"", method="GET"), request(b"", method="GET"), {}, True),
    ("a body where there was none", request(b""), request(b"{}"), {}, False),
    ("bytes that are no JSON", request(b"\x00\xff"), request(b"\x00\xff"), {}, True),
    ("other bytes", request(b"\x00\xff"), request(b"\x00\xfe"), {}, False),
    ("a form with another boundary", form("aaaa"), form("bbbbbb"), {}, True),
    ("NaN", request(b'{"a":NaN}'), request(b'{"a":NaN}'), {}, True),
    ("deep nesting", request(b"[" * 100_000), request(b"[" * 100_000), {}, True),
]


@pytest.mark.parametrize(("name", "recorded", "asked", "options", "expected"), ROWS, ids=[row[0] for row in ROWS])
def test_what_fits(name, recorded, asked, options, expected):
    """Meaning counts, form does not."""
    assert fits(recorded, asked, **options) is expected


def test_a_hidden_secret_fits_any():
    """The recording has a mark where the request has a key: in a header, the query, the body."""
    url = "http://h/v1/chat/completions?key={}"
    body = '{{"messages":[{{"content":"my key is {}, help"}}],"user":"{}"}}'
    recorded = request(
        body.format(tapes.KEY, "ada@example.org").encode(), url.format("abcd1234efgh"), headers=(("X-A", "one-secret"),)
    )
    asked = request(
        body.format("sk-another-key-0123456", "bob").encode(), url.format("other"), headers=(("X-A", "other"),)
    )
    hiding = {"fields": ["user"], "headers": ["x-a"]}
    assert shelf_of(recorded, hiding=hiding, headers=["x-a"]).take(asked).number == 1
    other = request(body.format("sk-another-key-0123456", "bob").replace("help", "go").encode(), url.format("other"))
    with pytest.raises(rawchat.CassetteMiss):
        shelf_of(recorded, hiding=hiding).take(other)


MARKS = [
    ("a <key:3f2a91> b", "a xyz b", True),
    ("a <key:3f2a91***> b", "a xyz c", False),
    ("<key:3f2a91>", "x", True),
    ("<key:3f2a91>", "", False),
    ("<key:3f2a91> and <key:3f2a91>", "one and two", True),
    ("<key:3f2a91> and <key:3f2a91>", "one and ", False),
    ("a****b", "ahunter2b", True),
    ("a***b", "ahunter2b", False),
    ("plain", "plain", True),
    ("plain", "plane", False),
]


@pytest.mark.parametrize(("recorded", "asked", "expected"), MARKS)
def test_marks_stand_for_any_text(recorded, asked, expected):
    """At least one letter, and all around it equal."""
    assert matching.fits_text(recorded, asked) is expected


def test_many_stars_are_compared_in_one_pass():
    """A text full of lines of stars is no trap: a pattern with backtracking would not come back."""
    assert not matching.fits_text("a****" * 20_000 + "x", "a1234" * 20_000 + "y")


def numbers(shelf, count, asked=None):
    return [shelf.take(asked or request()).number for _ in range(count)]


def test_repeated_requests_are_answered_in_order():
    """Each recording once; another request does not move them on."""
    shelf = shelf_of(request(), request(b"{}"), request(), request())
    assert numbers(shelf, 2) == [1, 3]
    assert numbers(shelf, 1, request(b"{}")) == [2]
    assert [one.number for one in shelf.unplayed] == [4]
    assert numbers(shelf, 1) == [4] and shelf.unplayed == []


AFTER = {"last": [1, 2, 2, 2], "again": [1, 2, 1, 2]}


@pytest.mark.parametrize("after_last", AFTER)
def test_after_the_last(after_last):
    """The last again, or all from the first."""
    assert numbers(shelf_of(request(), request(), after_last=after_last), 4) == AFTER[after_last]


def test_asking_too_often_is_a_miss():
    """Which names what was played, and how to have it otherwise."""
    shelf = shelf_of(request(), request(b"{}"), request(), name="calls.jsonl")
    numbers(shelf, 2)
    with pytest.raises(
        rawchat.CassetteMiss, match=r"more often than calls\.jsonl has it: what fits, #1, #3, was played"
    ) as caught:
        shelf.take(request())
    assert 'after_last="again"' in str(caught.value)


def test_threads_share_a_shelf():
    """No recording is given out twice."""
    shelf = shelf_of(*[request()] * 200)
    found = []
    threads = [threading.Thread(target=lambda: found.extend(numbers(shelf, 50))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(1, 201))


def test_a_miss_shows_the_nearest_recording_and_what_differs():
    """By path, what was recorded and what was asked; of long texts the place where they part."""
    long_text = "word " * 40
    near = request(b'{"model":"m","messages":[{"role":"user","content":"' + long_text.encode() + b'end"}],"top_p":1}')
    far = request(b'{"model":"x","messages":[],"seed":5,"n":2,"top_p":0}')
    asked = request(
        b'{"model":"m","messages":[{"role":"user","content":"'
        + long_text.encode()
        + b'END"}],"temperature":0.5,"top_p":1}'
    )
    shelf = shelf_of(far, near, request(b"", method="GET", url="http://h/v1/models"), name="calls.jsonl")
    with pytest.raises(rawchat.CassetteMiss) as caught:
        shelf.take(asked)
    assert str(caught.value).split("\n") == [
        "no recording in calls.jsonl fits POST /v1/chat/completions",
        "nearest: #2 POST /v1/chat/completions; recorded -> asked:",
        '  messages[0].content: ..."d word word end" -> ..."d word word END"',
        "  temperature: absent -> 0.5",
    ]
    assert isinstance(caught.value, LookupError) and caught.value.exit_code == 66


def test_a_miss_of_another_path_says_so():
    """The endpoint first; bodies that are no JSON, and more differences than anybody reads, in short."""
    with pytest.raises(rawchat.CassetteMiss) as caught:
        shelf_of(request()).take(request(b"", method="GET", url="http://h/v1/models"))
    assert '  method: "POST" -> "GET"' in str(caught.value)
    assert '  path: "/v1/chat/completions" -> "/v1/models"' in str(caught.value)
    many = ",".join(f'"f{number}":1' for number in range(30))
    with pytest.raises(rawchat.CassetteMiss, match="and 22 more"):
        shelf_of(request(b"{}")).take(request(f"{{{many}}}".encode()))
    with pytest.raises(rawchat.CassetteMiss, match="holds no exchange"):
        shelf_of().take(request())


def test_a_miss_shows_no_key():
    """Neither the one in the header nor one in the body or the query."""
    asked = request(
        f'{{"a":"{tapes.KEY}"}}'.encode(),
        "http://h/v1/models?key=abcd1234efgh",
        headers=(("Authorization", "Bearer own/form.of-key"),),
    )
    with pytest.raises(rawchat.CassetteMiss) as caught:
        shelf_of(request(b'{"a":"own/form.of-key"}')).take(asked)
    for secret in (tapes.KEY, "abcd1234efgh", "own/form.of-key"):
        assert secret not in str(caught.value)


WRONG = [
    {"ignore": "user"},
    {"headers": "x-a"},
    {"ignore": [""]},
    {"ignore": ["a[b]"]},
    {"ignore": ["a..b"]},
    {"after_last": "stop"},
]


@pytest.mark.parametrize("options", WRONG, ids=repr)
def test_rules_that_cannot_be_meant(options):
    """Told when the shelf is made, not by a miss that nobody understands."""
    with pytest.raises(rawchat.PayloadError):
        shelf_of(request(), **options)
