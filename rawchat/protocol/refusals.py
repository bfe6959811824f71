"""Options that are asked for of our own accord, where a server refuses one: what is sent in its place.

    > "stream_options": {"include_usage": true}          so that a stream, too, says what it cost
    < HTTP/1.1 422
    < {"detail": [{"loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}]}
    otherwise(...)   -> the same payload without it, "the server refuses stream_options; asking again without"

OpenAI's own server refuses none of them. What the caller asked for is never taken away. Pure.
"""

from __future__ import annotations

import re
from typing import Any, Dict, List, NamedTuple, Optional

from .payload import encode_payload

# A server that validates says 400 or 422; llama-cpp-python and `transformers serve` call it 500, others 501.
_REFUSALS = (400, 422, 500, 501)
# Option -> the words by which a refusal names it, in `param` or in the message. As text: `re` compiles at first use.
_OPTIONS = {
    "stream_options": r"\b(?:stream_options|streamoptions|include_usage)\b",
    "encoding_format": r"\b(?:encoding[_ ]?format|base64)\b",
}


def take_back(call: Any, error: Any) -> str:
    """Changes a Call that is to be sent again without what `error` refuses, and says so; "" where it refuses nothing
    of ours.
    """
    changed = otherwise(error, call.payload or {}, call.instead)
    if changed is None:
        return ""
    call.payload = changed.payload
    call.body = encode_payload(changed.payload)
    call.refused.append(changed.option)
    return changed.why


class Otherwise(NamedTuple):
    """The payload to send in turn, the option that was refused, and what is done, in words."""

    payload: Dict[str, Any]
    option: str
    why: str


def otherwise(error: Any, payload: Dict[str, Any], instead: Dict[str, List[Any]]) -> Optional[Otherwise]:
    """What to send after `error`; None where it refuses no option of ours, or all else has been tried.

    `instead` holds, for each option of ours, the values still to be tried (None leaves it out); the one that is taken
    goes out of it.
    """
    for name, values in instead.items():
        if values and refuses_option(error, name):
            value = values.pop(0)
            changed = {key: given for key, given in payload.items() if key != name}
            if value is not None:
                changed[name] = value
            how = "without" if value is None else f"for {value}"
            return Otherwise(changed, name, f"the server refuses {name}; asking again {how}")
    return None


def refuses_option(refusal: Any, name: str) -> bool:
    """Whether a refusal, given as a Verdict or as an APIError, turns down the option: worth sending without.

    Mistral: 422 `stream_options: Extra inputs are not permitted`; the option is named by `param` or in the message.
    """
    words = f"{refusal.param or ''} {refusal.message}".lower()
    return refusal.status in _REFUSALS and bool(re.search(_OPTIONS[name], words))
