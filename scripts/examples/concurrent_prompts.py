"""Many prompts at once, but not too many: by the client's own bound, and by a semaphore of one's own.

    python scripts/examples/concurrent_prompts.py

Answers stand in the order of the prompts, whichever came first. In `batch_ask`, a prompt that fails has its error in
its place, and the others go on; `asyncio.gather` raises the first error, unless told `return_exceptions=True`.
"""

import asyncio

from connection import server

import rawchat

SUMS = [f"What is {number} * {number}?" for number in range(1, 12)]
REFUSED = {"role": "nobody", "content": "The server knows no such role."}


async def by_the_client(given, prompts):
    """`max_concurrency` is all it takes."""
    async with rawchat.AsyncClient(**given, max_concurrency=4) as client:
        return await client.batch_ask(prompts)


async def by_a_semaphore(given, prompts):
    """For work that is more than a call of the client: here, look at the answer before the next one may start."""
    semaphore = asyncio.Semaphore(3)

    async def ask(prompt):
        async with semaphore:
            reply = await client.chat(prompt)
            return reply.text.partition(".")[0]

    async with rawchat.AsyncClient(**given, max_concurrency=100) as client:
        return await asyncio.gather(*map(ask, prompts))


async def main():
    with server() as given:
        for answer in await by_the_client(given, [*SUMS[:5], REFUSED, *SUMS[5:]]):
            print(answer.text if isinstance(answer, rawchat.Reply) else f"{type(answer).__name__}: {answer}")
        print("; ".join(await by_a_semaphore(given, SUMS)))


if __name__ == "__main__":
    asyncio.run(main())
