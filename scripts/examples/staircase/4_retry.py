"""Step 4: deciding to retry. Some failures pass by themselves, and some never do: the status tells which.

400, 401, 403, 404, 422     our mistake: the same request fails the same way
408, 409, 429, 5xx          busy, or broken for now: wait, then ask again
"""

import json
import os
import random
import sys
import time

import requests

RETRYABLE = {408, 409, 429, 500, 502, 503, 504}
ATTEMPTS = 4


def wait_s(response, attempt):
    """How long to wait after `attempt` (from 0). The server knows best; without its word, longer each time."""
    asked = response.headers.get("Retry-After") if response is not None else None
    if asked and asked.isdigit():
        return int(asked)
    # The dice keep a thousand clients that failed together from coming back together.
    return min(0.5 * 2**attempt, 8) * random.uniform(0.75, 1)


def ask(messages):
    for attempt in range(ATTEMPTS):
        try:
            response = requests.post(
                os.environ["OPENAI_BASE_URL"] + "/chat/completions",
                headers={
                    "Authorization": "Bearer " + os.environ["OPENAI_API_KEY"],
                    "Content-Type": "application/json",
                },
                data=json.dumps({"model": "gpt-4o-mini", "messages": messages}),
                timeout=60,
            )
        except (requests.ConnectionError, requests.Timeout) as error:
            response, problem = None, str(error)  # no answer at all: that may pass, too
        else:
            if response.status_code == 200:
                return response.json()
            problem = f"{response.status_code}: {response.text}"
            # An empty purse is a 429 like haste, and waiting does not fill it.
            if response.status_code not in RETRYABLE or "insufficient_quota" in response.text:
                sys.exit(problem)
        if attempt + 1 < ATTEMPTS:
            pause_s = wait_s(response, attempt)
            print(f"attempt {attempt + 1} failed, trying again in {pause_s:.2f} s", file=sys.stderr)
            time.sleep(pause_s)
    sys.exit(f"{ATTEMPTS} attempts, and the last one ended with {problem}")


print(ask([{"role": "user", "content": "What is backoff?"}])["choices"][0]["message"]["content"])
