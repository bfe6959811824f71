"""Step 2: reading the reply. The text is a few levels down, and around it stand facts worth looking at.

{"choices": [{"message": {"role": "assistant", "content": "..."}, "finish_reason": "stop"}], "usage": {...}}
"""

import json
import os
import sys

import requests


def ask(messages):
    """The reply as a dict. An error ends the program with what the server says about it."""
    response = requests.post(
        os.environ["OPENAI_BASE_URL"] + "/chat/completions",
        headers={
            "Authorization": "Bearer " + os.environ["OPENAI_API_KEY"],
            "Content-Type": "application/json",
        },
        data=json.dumps({"model": "gpt-4o-mini", "messages": messages}),
        timeout=60,
    )
    # The status comes first: 200 is an answer, anything else is not, whatever its body looks like.
    if response.status_code != 200:
        sys.exit(f"{response.status_code}: {response.text}")
    return response.json()


messages = [{"role": "user", "content": "What is a token?"}]
reply = ask(messages)
choice = reply["choices"][0]
print(choice["message"]["content"])

# "stop": it had said all. "length": cut off by a limit. "tool_calls": it wants something done first.
print("finish reason:", choice["finish_reason"])
print("tokens:", reply["usage"]["prompt_tokens"], "in,", reply["usage"]["completion_tokens"], "out")

# A conversation is the same request with more in it: what was said, and the next question.
messages += [choice["message"], {"role": "user", "content": "And what is a stream?"}]
print(ask(messages)["choices"][0]["message"]["content"])
