"""Step 3: streaming. With "stream": true the answer comes in events, a few letters each, while it is being written.

data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}

data: {"choices":[{"index":0,"delta":{"content":"A to"},"finish_reason":null}]}

data: [DONE]
"""

import json
import os
import sys

import requests

payload = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": "What is a stream?"}],
    "stream": True,
    "stream_options": {"include_usage": True},  # the token counts, in a last chunk without choices
}

with requests.post(
    os.environ["OPENAI_BASE_URL"] + "/chat/completions",
    headers={"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "Content-Type": "application/json"},
    data=json.dumps(payload),
    stream=True,  # for requests: give us the body as it comes, not when all of it is here
    timeout=60,
) as response:
    if response.status_code != 200:
        sys.exit(f"{response.status_code}: {response.text}")

    text, usage, whole = "", None, False
    # A chunk_size of 1 hands out each line at once. With the usual 512, text waits until there is enough of it.
    for line in response.iter_lines(chunk_size=1):
        if not line.startswith(b"data:"):
            continue  # a blank line ends an event; one that begins with a colon is a sign of life
        data = line[len(b"data:") :].strip()
        if data == b"[DONE]":
            whole = True
            break
        chunk = json.loads(data)
        usage = chunk.get("usage") or usage
        for choice in chunk["choices"]:  # none in the chunk with the usage
            piece = choice["delta"].get("content") or ""
            text += piece
            print(piece, end="", flush=True)

print()
# A connection that breaks looks like an answer that is over: only [DONE] tells them apart.
print(f"({len(text)} characters, {usage['completion_tokens']} tokens)" if whole else "(cut off: no [DONE] came)")
