"""The sourcing page, as far as the health check uses it: it responds, and Streamlit's health page returns 'ok'."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from wakee_sandbox.faults import FaultSwitch

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Wakee App Sourcing (sandbox)</title>
<style>body{font:16px sans-serif;max-width:40em;margin:3em auto}</style>
<h1>Wakee App Sourcing</h1>
<p>In production people take a picture here, see the four scores, correct them with sliders and validate.
This stand-in has no function. <code>wakee-sandbox seed</code> creates the annotations.</p></html>"""


async def page(_request: Request) -> Response:
    """Return the page."""
    return HTMLResponse(PAGE)


async def health(_request: Request) -> Response:
    """Respond as Streamlit's health page does."""
    return PlainTextResponse("ok")


def application() -> Starlette:
    """Create the web application of the page."""
    routes = [Route("/", page), Route("/_stcore/health", health)]
    return Starlette(routes=routes, middleware=[Middleware(FaultSwitch)])
