r"""What goes out on a connection when a recorded exchange is played to a client: each write with its time, and the end.

    recorded on the wire   (412 ms) head    (412 ms) 'f6\r\ndata: ...\n\n\r\n'   ...   keep the connection
    recorded in a library  (412 ms) head    the same, framed again as chunks      ...   the last chunk, keep
    broken by a reset      (412 ms) head    (431 ms) the pieces that came               reset at 512 ms

Bytes recorded with their framing go out as they are; of a recording from inside a library, where framing and coding are
undone, the headers that are no longer true are left out. Opens no socket: replay.py carries it out.
"""

from __future__ import annotations

from typing import List, Mapping, NamedTuple, Optional, Tuple

from ..protocol.wire import HeaderPairs, ResponseHead
from ..transport.http1 import HTTP_FAILURES, ResponseReader
from .exchange import BODY, Exchange, head_bytes
from .framing import IncomingRequest, frame, frame_end

KEEP, CLOSE, RESET, SILENCE = "keep", "close", "reset", "silence"

# How the recording ended -> how the connection does, where the answer's own framing has not ended it before.
_ACTS: Mapping[str, str] = {"reset": RESET, "timeout": SILENCE, "unreachable": RESET}
_REMARKS: Mapping[str, str] = {
    "unreachable": "recorded was that no connection could be made; played as a reset",
    "client_gone": "recorded up to where its client left; played as a close",
    "stopped": "recorded up to where the recorder was stopped; played as a close",
}
_NOT_TRUE_ANY_MORE = frozenset(("content-length", "content-encoding", "transfer-encoding"))


class Write(NamedTuple):
    """Bytes that go out together, `at_us` after the request."""

    at_us: int
    data: bytes


class Plan(NamedTuple):
    """`pieces` of `writes` are pieces of the body, the ones before them heads. `act`: KEEP, CLOSE, RESET or SILENCE."""

    writes: List[Write]
    pieces: int
    act: str
    act_us: int
    remark: str = ""


def plan_for(exchange: Exchange, request: IncomingRequest, cut_after: Optional[int] = None) -> Plan:
    """How this exchange answers this request. `cut_after` pieces, the connection is closed."""
    heads = [Write(at_us, head_bytes(head)) for at_us, head in exchange.interim if head.status != 100]
    how = exchange.end.how if exchange.end else "stopped"
    end_us = exchange.end.at_us if exchange.end else _last_us(exchange)
    if exchange.head is None:
        return Plan(heads, 0, _ACTS.get(how, CLOSE), end_us, _REMARKS.get(how, ""))
    head, pieces, whole = _body_layer(exchange, request) if exchange.layer == BODY else _wire_layer(exchange)
    heads.append(Write(exchange.head_us or 0, head_bytes(head)))
    if cut_after is not None and cut_after < len(pieces):
        kept = pieces[:cut_after]
        last_us = kept[-1].at_us if kept else exchange.head_us or 0
        return Plan([*heads, *kept], len(kept), CLOSE, last_us, f"cut off after {_count(len(kept), 'piece')}")
    writes = [*heads, *pieces]
    if whole and how != "reset":
        # The end of the framing ends the answer, whatever became of the connection after that.
        act = KEEP if request.keeps_alive and _keeps_alive(head) else CLOSE
        return Plan(writes, len(pieces), act, writes[-1].at_us)
    return Plan(writes, len(pieces), _ACTS.get(how, CLOSE), end_us, _REMARKS.get(how, ""))


def _last_us(exchange: Exchange) -> int:
    return exchange.pieces[-1].at_us if exchange.pieces else exchange.head_us or 0


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _keeps_alive(head: ResponseHead) -> bool:
    said = head.headers.get("connection", "").lower()
    return "keep-alive" in said if head.http_version == "1.0" else "close" not in said


def _wire_layer(exchange: Exchange) -> Tuple[ResponseHead, List[Write], bool]:
    """(head, pieces, whether the framing ends by itself), as recorded."""
    head = exchange.head
    assert head is not None
    reader = ResponseReader(exchange.request.method)
    whole = True
    try:
        reader.receive(head_bytes(head))
        for piece in exchange.pieces:
            reader.receive(piece.data)
        whole = reader.at_end
    except HTTP_FAILURES:
        whole = False
    return head, [Write(piece.at_us, piece.data) for piece in exchange.pieces], whole


def _body_layer(exchange: Exchange, request: IncomingRequest) -> Tuple[ResponseHead, List[Write], bool]:
    """The same with new framing."""
    head = exchange.head
    assert head is not None
    complete = exchange.end is not None and exchange.end.whole and exchange.end.how == "eof"
    pieces = [Write(piece.at_us, piece.data) for piece in exchange.pieces if piece.data]
    if request.method == "HEAD" or head.status < 200 or head.status in (204, 304):
        return _as_http1(head, head.headers.pairs), [], complete
    if _length_is_true(head, sum(len(piece.data) for piece in pieces)):
        return _as_http1(head, head.headers.pairs), pieces, complete
    pairs = tuple(pair for pair in head.headers.pairs if pair[0].lower() not in _NOT_TRUE_ANY_MORE)
    if request.version == "1.0":  # knows no chunks: the close ends the body (RFC 9112, 6.3)
        return _as_http1(head, (*pairs, ("Connection", "close"))), pieces, complete
    framed = [Write(piece.at_us, frame(piece.data, chunked=True)) for piece in pieces]
    if complete and exchange.end is not None:
        framed.append(Write(exchange.end.at_us, frame_end()))
    return _as_http1(head, (*pairs, ("Transfer-Encoding", "chunked"))), framed, complete


def _as_http1(head: ResponseHead, pairs: HeaderPairs) -> ResponseHead:
    """A browser's recording says HTTP/2 or 3, which is not spoken here."""
    from ..protocol.wire import Headers

    return head._replace(headers=Headers(pairs), http_version="1.1")


def _length_is_true(head: ResponseHead, body_bytes: int) -> bool:
    if "content-encoding" in head.headers or "transfer-encoding" in head.headers:
        return False
    return head.headers.get("content-length", "") == str(body_bytes)
