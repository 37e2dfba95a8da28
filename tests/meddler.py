"""A proxy between a simulation and the API that does to answers what a test wants done."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import aiohttp
from aiohttp import web

# Gets the request and what passes it on; returns the answer. None hangs up.
Meddle = Callable[[web.Request, Callable[[], Awaitable[web.Response]]], Awaitable[web.Response | None]]
_HOP_BY_HOP = {"transfer-encoding", "connection", "content-length", "date", "server", "host"}


@contextmanager
def meddler(url: str, meddle: Meddle) -> Iterator[str]:
    """Stands before the API at `url` for the duration; gives its own address."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> tuple[web.AppRunner, aiohttp.ClientSession, str]:
        session = aiohttp.ClientSession()

        async def handle(request: web.Request) -> web.StreamResponse:
            return await _handle(request, session, url, meddle)

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner, session, f"http://127.0.0.1:{runner.addresses[0][1]}"

    runner, session, address = asyncio.run_coroutine_threadsafe(start(), loop).result(30)
    try:
        yield address
    finally:

        async def stop() -> None:
            await session.close()
            await runner.cleanup()

        asyncio.run_coroutine_threadsafe(stop(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


async def _handle(request: web.Request, session: aiohttp.ClientSession, url: str, meddle: Meddle) -> web.StreamResponse:
    body = await request.read()
    headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}

    async def passed() -> web.Response:
        async with session.request(
            request.method, url + request.path_qs, data=body, headers=headers, allow_redirects=False
        ) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)

    answered = await meddle(request, passed)
    if answered is None:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()
    return answered
