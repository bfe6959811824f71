"""Secrets leave no trace in what the lab writes down, wherever a read ends; and every byte keeps its place."""

import random

import pytest

from . import module

hiding = module("lab.hiding")
redact = module("protocol.redact")

KEY = "sk-proj-abcdef0123456789ABCDEF"
PLAIN = "correct horse battery"  # a secret without the shape of a key


def in_reads(hider, data, cuts):
    """What a StreamHider makes of `data` cut at `cuts`: the reads that came out, in order."""
    edges = [0, *sorted(cuts), len(data)]
    stream = hider.stream()
    out = []
    for number, (start, end) in enumerate(zip(edges, edges[1:])):
        out += stream.feed(data[start:end], number)
    return [*out, *stream.close()]


# name, what the hider is told, the body, what must not be seen in it
BODIES = [
    ("a key by its shape", {}, f'{{"text":"use {KEY} here"}}', KEY),
    ("a bearer token", {}, "Authorization: Bearer abcdef123456.ghi-jkl/mno=\r\n", "abcdef123456.ghi-jkl/mno="),
    ("a named key", {}, '{"api_key": "0af3b7c9d1e5f2a4"}', "0af3b7c9d1e5f2a4"),
    ("a key in a query", {}, '{"url":"https://h/v1?api-version=1&key=abc!def$ghi(j)"}', "abc!def$ghi(j)"),
    ("a password in a URL", {}, '{"proxy":"http://user:p!ss,w(r)d@host:80/"}', "p!ss,w(r)d"),
    ("a secret that is told", {"secrets": [PLAIN]}, f'{{"text":"{PLAIN}, he said"}}', PLAIN),
    ("one shorter than a mark", {"secrets": ["hunter2"]}, '{"text":"hunter2"}', "hunter2"),
    ("one outside ASCII", {"secrets": ["naïve Müller 東京"]}, '{"text":"naïve Müller 東京"}', "naïve Müller 東京"),
    (
        "the same, escaped in JSON",
        {"secrets": ["naïve Müller"]},
        '{"text":"na\\u00efve M\\u00fcller"}',
        "na\\u00efve M\\u00fcller",
    ),
    ("one with a quote", {"secrets": ['say "please" now']}, '{"text":"say \\"please\\" now"}', 'say \\"please\\" now'),
    ("a field that is told", {"fields": ["password"]}, '{"password" : "a b c", "x":1}', "a b c"),
    ("a long one", {"fields": ["note"]}, '{"note":"' + "two words " * 40 + '","x":1}', "two words two"),
    ("with an escaped quote", {"fields": ["note"]}, '{"note":"left \\"right\\" end","x":1}', 'right\\" end'),
]
IDS = [row[0] for row in BODIES]


@pytest.mark.parametrize(("name", "told", "body", "secret"), BODIES, ids=IDS)
def test_a_whole_body_keeps_its_length(name, told, body, secret):
    """The secret is gone, the length and everything around it are what they were."""
    data = body.encode()
    hidden = hiding.Hider(**told).body(data)
    assert secret.encode() in data and secret.encode() not in hidden
    assert (len(hidden), hidden[:9], hidden[-2:]) == (len(data), data[:9], data[-2:])


@pytest.mark.parametrize(("name", "told", "body", "secret"), BODIES, ids=IDS)
def test_reads_that_cut_a_secret_hide_it_all_the_same(name, told, body, secret):
    """Byte by byte, in two at every place, and at random cuts: no letter of it is written, no read changes its length."""
    data = b"before it " + body.encode() + b" and after it"
    hider = hiding.Hider(**told)
    whole = hider.body(data)
    dice = random.Random(5)
    ways = [range(1, len(data)), *([place] for place in range(1, len(data)))]
    ways += [dice.sample(range(1, len(data)), min(9, len(data) - 1)) for _ in range(40)]
    for cuts in ways:
        reads = in_reads(hider, data, cuts)
        edges = [0, *sorted(cuts), len(data)]
        assert [len(read.data) for read in reads] == [end - start for start, end in zip(edges, edges[1:])]
        assert [read.at_us for read in reads] == list(range(len(reads)))
        assert b"".join(read.data for read in reads) == whole, cuts


def test_what_is_no_secret_passes_at_once():
    """Events end in a line end: nothing of a stream waits for the next read."""
    stream = hiding.Hider(["another-secret"]).stream()
    for number, event in enumerate((b'data: {"choices":[]}\n\n', b"data: [DONE]\n\n", b"0\r\n\r\n")):
        assert stream.feed(event, number) == [hiding.Held(number, event)]
    assert list(stream.close()) == []


def test_a_long_run_is_not_waited_for():
    """An image in base64 has no line ends; it is no key, and is not kept back until its end."""
    stream = hiding.Hider().stream()
    given = sum(len(held.data) for _ in range(20) for held in stream.feed(b"QUJD" * 256, 0))
    assert given >= 16 * 1024


def test_the_same_key_has_the_same_digits_everywhere():
    """Header, address and body: "the same key or not" can be seen."""
    hider = hiding.Hider(["abcdefghijkl-0123456789"])
    digits = redact.mark("abcdefghijkl-0123456789")[5:11]
    assert hider.pairs((("Authorization", "Bearer abcdefghijkl-0123456789"),)) == (
        ("Authorization", f"Bearer <key:{digits}>"),
    )
    assert digits in hider.text("http://h/v1?key=abcdefghijkl-0123456789")
    assert digits.encode() in hider.body(b'"abcdefghijkl-0123456789"')


def test_the_secrets_of_a_request_are_hidden_in_its_answer():
    """What stood in a header, a query or before the @ is known from then on, in whatever form it comes back."""
    hider = hiding.Hider().for_request(
        "http://jo:p%40ss-w0rd@h/v1?key=secret%2Fvalue-1",
        (("X-Api-Key", "own-form.of-a-key"), ("Accept", "text/plain")),
    )
    for secret in ("p%40ss-w0rd", "p@ss-w0rd", "secret%2Fvalue-1", "secret/value-1", "own-form.of-a-key"):
        assert secret.encode() not in hider.body(f"it said {secret}, twice".encode())
    assert hider.body(b"text/plain") == b"text/plain"


def test_the_secrets_of_a_requests_body_are_hidden_in_its_answer():
    """A server quotes a value without the name that gave it away: `"access_token"` and its like, and named fields."""
    body = '{"access_token":"no shape at all","user":"Grüße, Ada","model":"m"}'.encode()
    hider = hiding.Hider(fields=["user"]).for_request("http://h/v1", (), body)
    answer = "no shape at all, Grüße, Ada; m".encode()
    hidden = hider.body(answer)
    assert b"shape" not in hidden and b"Ada" not in hidden and hidden.endswith(b"; m") and len(hidden) == len(answer)
    assert b"shape" not in hider.body(body)


def test_names_that_the_user_adds_are_secrets_too():
    """A header by its name, without regard to case, whatever its value; and the value where it turns up again."""
    hider = hiding.Hider(headers=["X-Tenant"]).for_request("http://h/v1", (("x-tenant", "Acme & Sons"),))
    assert hider.pairs((("x-tenant", "Acme & Sons"),)) == (("x-tenant", redact.mark("Acme & Sons")),)
    assert b"Acme" not in hider.body(b"hello Acme & Sons")


def test_a_word_is_no_secret():
    """A server at home takes "ollama" for a key; blotting that out would hide ordinary text and protect nothing."""
    hider = hiding.Hider().for_request("http://h/v1", (("Authorization", "Bearer ollama"),))
    assert hider.body(b"the ollama server") == b"the ollama server"


def test_hiding_twice_changes_nothing():
    """A recording that is recorded again (a tap before a replay) keeps its marks."""
    hider = hiding.Hider(fields=["password"])
    once = hider.body(f'{{"password":"a long password","k":"{KEY}"}}'.encode())
    assert hider.body(once) == once


def test_bytes_that_are_no_text_stay_as_they_are():
    """Images, gzip: nothing is decoded that cannot be encoded again."""
    data = random.Random(1).getrandbits(80_000).to_bytes(10_000, "big")
    assert hiding.Hider([PLAIN]).body(data) == data
    reads = [data[start : start + 37] for start in range(0, len(data), 37)]
    assert [held.data for held in hiding.hidden_together(hiding.Hider([PLAIN]), enumerate(reads))] == reads
