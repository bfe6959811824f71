"""A recording: records in order, times from the sending, no secret in any of them, from any number of threads."""

import threading

from . import lab_tapes as tapes, module

exchange_module = module("lab.exchange")
hiding = module("lab.hiding")
recording = module("lab.recording")
wire = module("protocol.wire")

REQUEST = wire.Request(
    "POST",
    "http://127.0.0.1:8080/v1/chat/completions?key=query-secret-1",
    (("Authorization", f"Bearer {tapes.KEY}"), ("X-Plain", "seen")),
    b'{"prompt":"my key is ' + tapes.KEY.encode() + b'"}',
)
HEAD = wire.ResponseHead(200, "OK", wire.Headers([("Set-Cookie", "session=abcdefgh12345678"), ("X-Plain", "seen")]))


def record_one(*reads, how="eof", **options):
    """(records, exchange) of one exchange, a read each millisecond."""
    records = []
    made = recording.Recording([records.append], source="test", **options)
    recorder = made.begin(REQUEST, at_s=made.began_s + 1)
    recorder.head(HEAD, at_s=made.began_s + 1.25)
    for number, data in enumerate(reads):
        recorder.read(data, at_s=made.began_s + 1.3 + number / 1000)
    if how:
        recorder.end(how, at_s=made.began_s + 2, detail=f"it quoted {tapes.KEY}")
    return records, recorder.exchange


def test_what_is_written_in_order():
    """Session, request, head, reads, end; times in microseconds since the sending."""
    records, _ = record_one(b"one\n", b"two\n")
    assert [record["event"] for record in records] == ["session", "request", "head", "read", "read", "end"]
    assert [record["t_us"] for record in records[1:]] == [0, 250_000, 300_000, 301_000, 1_000_000]
    assert records[1]["start_us"] == 1_000_000 and records[1]["call"] == 1 and records[1]["attempt"] == 1


def test_no_record_holds_a_secret():
    """Not in headers, address, body, answer, nor in an error's text; and the exchange in memory is made of the same."""
    records, exchange = record_one(b"you said " + tapes.KEY.encode(), b" and query-sec", b"ret-1\n")
    for secret in (tapes.KEY, tapes.KEY[8:], "query-secret-1", "query-sec", "abcdefgh12345678"):
        assert secret not in repr(records)
        assert secret not in repr(vars(exchange)) + exchange.request.url + repr(exchange.request.body)
    assert "seen" in repr(records)


def test_the_exchange_in_memory_is_the_one_in_the_file():
    """Read back from its records, it says the same."""
    records, exchange = record_one(b"one\n", b"two\n")
    again = exchange_module.Exchange(1)
    for record in records:
        again.apply(record)
    assert vars(again).keys() == vars(exchange).keys()
    assert (again.request, again.pieces, again.end, again.head.headers.pairs) == (
        exchange.request,
        exchange.pieces,
        exchange.end,
        exchange.head.headers.pairs,
    )


def test_a_read_that_may_end_inside_a_secret_waits_for_the_next():
    """It is not lost: the end gives it out, with its own time."""
    records, exchange = record_one(b"sk-proj-abc", how="")
    assert [record["event"] for record in records] == ["session", "request", "head"]
    records, exchange = record_one(b"a line\nsk-proj-abc")
    assert [piece.at_us for piece in exchange.pieces] == [300_000]


def test_only_the_first_end_counts():
    """The loop that reads and the one that closes may both say that it is over."""
    _records, exchange = record_one(b"one\n", how="reset")
    made = recording.Recording(source="test")
    recorder = made.begin(REQUEST, at_s=0)
    recorder.end("reset", at_s=1, whole=False)
    recorder.end("eof", at_s=2)
    assert recorder.exchange.end == exchange_module.End(1_000_000, "reset", False, "")
    assert exchange.end.how == "reset"


def test_attempts_waits_notes_and_interim_answers():
    """What happens beside the answer has its place, and stays with its exchange."""
    made = recording.Recording(source="test")
    first = made.begin(REQUEST, at_s=5)
    first.interim(wire.ResponseHead(103, "Early Hints", wire.Headers([("Link", "<a>")])), at_s=5.001)
    first.end("eof", at_s=6)
    first.wait(0.5, f"429, with {tapes.KEY}", at_s=6)
    first.note("the tap played reset@3", at_s=6)
    second = made.begin(REQUEST, at_s=7, call=first.number, attempt=2)
    one, two = first.exchange, second.exchange
    assert (one.wait_s, tapes.KEY in one.why, one.notes) == (0.5, False, ["the tap played reset@3"])
    assert one.interim[0][1].status == 103
    assert (two.number, two.call, two.attempt) == (2, 1, 2)


def test_a_clock_that_seems_to_run_backwards_gives_no_negative_time():
    """A head may be stamped by another thread a moment before the sending."""
    made = recording.Recording(source="test")
    recorder = made.begin(REQUEST, at_s=5)
    recorder.head(HEAD, at_s=4.9999)
    assert recorder.exchange.head_us == 0


def test_two_threads_record_at_once():
    """Every exchange has its number, every read its exchange, and nobody else's."""
    records = []
    made = recording.Recording([records.append], source="test")
    barrier = threading.Barrier(2)

    def run(name):
        barrier.wait()
        for number in range(200):
            recorder = made.begin(REQUEST, at_s=number)
            recorder.read(f"{name} {number}\n".encode(), at_s=number)
            recorder.end("eof", at_s=number, detail=f"{name} {number}")

    threads = [threading.Thread(target=run, args=(name,)) for name in ("left", "right")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = {}
    for record in records[1:]:
        found.setdefault(record["id"], exchange_module.Exchange()).apply(record)
    assert sorted(found) == list(range(1, 401))
    said = sorted(exchange.end.detail for exchange in found.values())
    assert said == sorted(f"{name} {number}" for name in ("left", "right") for number in range(200))
    assert all(exchange.pieces[0].data.decode() == exchange.end.detail + "\n" for exchange in found.values())


def test_wall_clock_times_are_utc_with_microseconds():
    """RFC 3339, also where rounding carries into the next second."""
    assert recording.timestamp(1763720400.25) == "2025-11-21T10:20:00.250000Z"
    assert recording.timestamp(1763720399.9999999) == "2025-11-21T10:20:00.000000Z"
