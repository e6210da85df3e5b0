"""Serving the page."""

from __future__ import annotations

import socket
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import gradio as gr
import uvicorn
from fastapi import FastAPI, Request, Response

from lightning_emorec.app.examples import make_examples
from lightning_emorec.app.page import Judge, build_page, theme
from lightning_emorec.errors import EmorecError

POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; worker-src 'self' blob:; connect-src 'self' data: blob:"
)
"""What the browser may load: nothing from elsewhere."""

STOP_S = 5.0
"""Longest wait for an answer that is being computed when the page closes."""


def serve(judge: Judge, host: str, port: int, most_bytes: int, examples: Path) -> None:
    """Serve the page until a signal ends this process.

    Args:
        judge: Answers.
        host: Address to listen at.
        port: 0 takes one that is free.
        most_bytes: Largest file.
        examples: Takes generated recordings.

    Raises:
        EmorecError: It cannot listen there.
    """
    listening = _listen(host, port)
    outer = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @outer.middleware("http")
    async def _only_from_here(
        request: Request, proceed: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        response = await proceed(request)
        response.headers["Content-Security-Policy"] = POLICY
        return response

    page = build_page(judge, make_examples(examples))
    app = gr.mount_gradio_app(
        outer,
        page,
        path="/",
        footer_links=[],
        run_history=False,
        show_error=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        ssr_mode=False,
        max_file_size=most_bytes,
        theme=theme(),
        css_paths=[Path(__file__).with_name("style.css")],
    )
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # an address that a browser opens
    where = f"[{shown}]" if ":" in shown else shown
    print(
        f"{judge.recognizer.label} at http://{where}:{listening.getsockname()[1]}, until Ctrl-C", flush=True
    )
    try:
        thread.join()
    finally:
        judge.stopping = server.should_exit = True
        thread.join(STOP_S)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise EmorecError(
            "an address to listen at", f"{host}:{port}: {reason}", "set --host or --port"
        ) from error
