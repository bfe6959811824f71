"""Exercise: a retry loop of one's own, once in a few lines, and once with what a good one knows.

    python scripts/examples/own_retry.py

`simple` goes by a list of waits. `careful` does around a plain `requests.post` what rawchat's client does about a bad
status: it asks whether the failure will pass, obeys the server's Retry-After, and varies its own waits. With nothing
set up, the practice server refuses each request twice before it answers.
"""

import random
import time

import requests
from connection import server

import rawchat


def simple(call, waits_s):
    """What `call()` returns, tried again after each of these waits; what waiting does not cure is raised at once."""
    for wait_s in waits_s:
        try:
            return call()
        except rawchat.APIError as error:
            if not error.retryable:
                raise
            print(f"{error.status}: waiting {error.retry_after_s or wait_s:g} s")
            time.sleep(error.retry_after_s or wait_s)
    return call()


def careful(url, max_retries=3, **request):
    """The JSON that `requests.post(url, **request)` brings. Raises RuntimeError for a status that stays bad."""
    policy, retries_taken = rawchat.RetryPolicy(), 0
    while True:
        response = requests.post(url, timeout=(5, 60), **request)
        verdict = rawchat.classify(response.status_code, response.headers, response.content)
        if verdict.kind == "ok":
            return response.json()
        so_far = {"retries_taken": retries_taken, "max_retries": max_retries, "dice": random.random()}
        hint = rawchat.parse_retry_after(response.headers, response.content, now_s=time.time())
        wait = rawchat.next_wait(policy, verdict=verdict, hint=hint, **so_far)
        if wait is None:
            raise RuntimeError(verdict.message)
        print(f"{wait.why}: waiting {wait.seconds:.1f} s")
        time.sleep(wait.seconds)
        retries_taken += 1


def main():
    with server(fault="429x2") as given, rawchat.Client(**given, max_retries=0) as client:
        print(simple(lambda: client.chat("Count to three.").text, rawchat.backoff_delays(3)))
        payload = {"model": given["model"], "messages": [{"role": "user", "content": "Count to five."}]}
        headers = {"Authorization": f"Bearer {given['api_key']}"}
        answer = careful(f"{given['base_url']}/chat/completions", json=payload, headers=headers)
        print(answer["choices"][0]["message"]["content"])


if __name__ == "__main__":
    main()
