"""What test_pyodide_transport.py runs inside Pyodide: not a test, and not imported by one.

Is given PACKAGE, the name of the package under test, and URL, a practice server's. `main` gives its findings as JSON.
"""

import asyncio
import importlib
import json
import sys
import time

for absent in ("ssl", "socket", "requests"):  # some builds lack them: importing one fails from here on
    sys.modules[absent] = None
rawchat = importlib.import_module(PACKAGE)  # noqa: F821  (given)
URL = globals()["URL"]
ROOT = URL[: -len("/v1")]


async def raised(awaitable):
    try:
        return await awaitable
    except Exception as error:
        return error


async def streams(client, found):
    async with client.stream("Count to five.") as stream:
        found["pieces"] = [text async for text in stream]
    found["stream"] = stream.reply.text, stream.reply.complete, stream.reply.usage.total_tokens
    try:
        async with client.stream("Count to five.", model="fault/cut@3") as cut:
            async for _ in cut:
                pass
    except rawchat.StreamInterrupted as error:
        found["cut"] = str(error), error.reply.text
    async with client.stream("Count to five.", model="fault/stall@3") as left:
        async for _ in left:
            break
    async with client.stream("Count to five.", model="fault/stall@3") as cancelled:
        asyncio.get_running_loop().call_later(0.1, cancelled.cancel)
        found["cancelled"] = bool([text async for text in cancelled]), cancelled.reply.complete


async def main():
    found = {"platform": sys.platform}
    client = rawchat.AsyncClient("sk-practice", URL, max_retries=1)
    found["door"] = client.transport.name
    found["chat"] = (await client.chat("Say hello.")).text
    found["models"] = type((await client.models())["data"]).__name__
    started_s = time.monotonic()
    found["retried"] = (await client.chat("Hi", model="fault/429x1")).attempts, time.monotonic() - started_s >= 0.9
    await streams(client, found)
    once = client.with_options(max_retries=0)
    refused = await raised(once.chat("Hi", model="fault/401"))
    found["error"] = type(refused).__name__, refused.status, refused.request_id is not None
    redirected = await raised(once.chat("Hi", model="fault/302"))
    found["redirect"] = type(redirected).__name__, redirected.status
    silent = await raised(once.chat("Hi", model="fault/stall-head", timeout=(5, 0.2)))
    found["silent"] = type(silent).__name__, str(silent).replace(ROOT[len("http://") :], "PEER")
    late = await raised(once.chat("Hi, soon", model="fault/stall-head", deadline=0.2))
    found["late"] = type(late).__name__
    reset = await raised(once.chat("Hi", model="fault/reset-head"))
    found["reset"] = type(reset).__name__, "CORS" in str(reset)
    task = asyncio.ensure_future(once.chat("Hi, task", model="fault/stall-head"))
    await asyncio.sleep(0.2)
    task.cancel()
    found["task"] = type((await asyncio.gather(task, return_exceptions=True))[0]).__name__
    found["blocking"] = blocking(found)
    return json.dumps(found)


def blocking(found):
    client = rawchat.Client("sk-practice", URL)
    try:
        chat = client.chat("Say hello.").text
    except rawchat.PayloadError as error:
        return str(error)
    with client.stream("Count to five.") as stream:
        pieces = list(stream)
    started_s = time.monotonic()
    attempts = client.chat("Hi again", model="fault/429x1").attempts
    return {
        "chat": chat,
        "pieces": pieces,
        "retried": [attempts, time.monotonic() - started_s >= 0.9],
    }
