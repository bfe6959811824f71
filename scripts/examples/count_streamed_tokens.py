"""Exercise: count the tokens of a streamed answer in the lines of its event stream.

    python scripts/examples/count_streamed_tokens.py

The request is a plain `requests.post`; of rawchat there is only SSEDecoder, which makes events of bytes. A piece is
often a token, but servers also send several in one; so a bill goes by the `usage` of the last chunk. For errors inside
a stream, and streams that are cut, see `rawchat.iter_chunks(response)`.
"""

import json

import requests
from connection import server

import rawchat


def events(lines):
    """The events in the lines of a stream, which are bytes without their line ends."""
    decoder = rawchat.SSEDecoder()
    for line in lines:
        yield from decoder.feed(line + b"\n")
    yield from decoder.close()


def count(lines):
    """(pieces of text, completion tokens); None for the tokens where the server did not tell them."""
    pieces, tokens = 0, None
    for event in events(lines):
        if event.data == "[DONE]":
            break
        chunk = json.loads(event.data)
        # The chunk with the usage has no choices, and the first and the last choice have no text.
        pieces += sum(1 for choice in chunk["choices"] if choice["delta"].get("content"))
        tokens = (chunk.get("usage") or {}).get("completion_tokens", tokens)
    return pieces, tokens


def main():
    with server() as given:
        payload = {
            "model": given["model"],
            "messages": [{"role": "user", "content": "Count to five."}],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        headers = {"Authorization": f"Bearer {given['api_key']}"}
        url = f"{given['base_url']}/chat/completions"
        with requests.post(url, json=payload, headers=headers, stream=True, timeout=(5, 60)) as response:
            response.raise_for_status()
            pieces, tokens = count(response.iter_lines())
    print(f"{pieces} pieces, {tokens} tokens")


if __name__ == "__main__":
    main()
