"""The verbs `saccade studio` and `saccade export`. Torch-free until one runs."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from saccade.errors import InputError
from saccade.pipeline import outputs
from saccade.terminal.arguments import AsJson, Overwrite, RunPath

ONNX = (".onnx",)


def studio(
    host: Annotated[
        str, typer.Option(help="Address to serve at; another one than this machine's own asks for a token.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port to serve at; by default the first free one from 8700 on.")
    ] = None,
    token: Annotated[str | None, typer.Option(help="Token to ask for; by default a random one, where one is.")] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
    export: Annotated[
        Path | None, typer.Option(help="Write the page as static files into this folder, and serve nothing.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Open a page in the browser where the networks look and draw, live.

    With the shipped networks; it needs no data and no network. Ctrl-C stops it.
    """
    from saccade.terminal import screen

    if export is not None:
        from saccade.studio.site import write_site

        screen.give(write_site(export), as_json=as_json)
        return
    from saccade.studio import server

    asked = server.token_for(host, token)
    bound = server.listen(host, port)
    url = server.address(bound, host, asked)
    screen.give({"url": url} if as_json else {"next": [f"open {url} (Ctrl-C stops)"]}, as_json=as_json)
    sys.stdout.flush()  # whoever started it may wait for the address
    server.serve(bound, url, asked, browser=browser)


def export(
    network: RunPath,
    out: Annotated[Path, typer.Option(help="ONNX file of one step; the whole unroll is written beside it.")],
    graph: Annotated[
        str | None, typer.Option(help="Part of the network, e.g. generator; by default the network itself.")
    ] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Export a network as ONNX: one step, the whole unroll, and a JSON file with their inputs and the initial state.

    Both are checked by ONNX Runtime against PyTorch before they are written: within 1e-5 over the whole unroll.
    """
    outputs.check(out, ONNX, overwrite=overwrite)
    unroll, description = out.with_name(f"{out.stem}-unroll.onnx"), out.with_suffix(".json")
    outputs.check(unroll, ONNX, overwrite=overwrite)
    outputs.check(description, (".json",), overwrite=overwrite)
    from saccade.pipeline import onnx_graph
    from saccade.pipeline.graph import graphs
    from saccade.pipeline.trained import open_trained
    from saccade.terminal import screen

    onnx_graph.require_packages()
    found = graphs(open_trained(network))
    name = graph or next(iter(found))
    if name not in found:
        raise InputError(f"a graph of this network: {', '.join(found)}", f"--graph {name[:60]}", "name one of them")
    written = onnx_graph.write(found[name], out, unroll, description)
    screen.give(written, as_json=as_json)
    if not as_json:
        screen.say(f"ONNX Runtime agrees with PyTorch within {written['difference']:.1e} over {written['steps']} steps")
