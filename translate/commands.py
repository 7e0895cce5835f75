"""The verbs of `saccade translate`. Torch-free until one runs."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from saccade.errors import InputError
from saccade.json_types import Record
from saccade.pipeline import outputs
from saccade.terminal.arguments import (
    MOST_SEED,
    AsJson,
    Count,
    DataDir,
    Index,
    Overwrite,
    RunPath,
    SplitName,
    StripFile,
)
from saccade.terminal.verbs import evaluate_and_show, film_name, result_of, train_command
from saccade.translate.lines import to_lines

if TYPE_CHECKING:
    from saccade.translate.translator import Translation, Translator

SYSTEM = "translate"
THEN = ("gif {} --index 7",)

DEFAULT = Path("translate-de-en")
"""The shipped network that translates by default."""

MOST_FILMED = 20
"""Most sentences in a film or a strip."""

Beam = Annotated[int | None, typer.Option(min=1, max=100, help="Beams of the search; by default the network's.")]
Seconds = Annotated[float, typer.Option(min=0.02, max=10, help="Seconds per subword.")]


def evaluate(
    path: RunPath,
    beam: Beam = None,
    data_dir: DataDir = None,
    split: SplitName = "test",
    as_json: AsJson = False,
) -> None:
    """Measure BLEU on all held-out files, by beam search; write metrics.json or metrics-validation.json into RUN."""
    model = {} if beam is None else {"beams": beam}
    evaluate_and_show(SYSTEM, path, data_dir, split, as_json=as_json, model=model, then=THEN)


def write(
    sentences: Annotated[
        list[str], typer.Argument(metavar="SENTENCE...", help="Sentences; - reads them from stdin, a line each.")
    ],
    run: Annotated[Path, typer.Option(help="A trained network's run folder, or a shipped one's name.")] = DEFAULT,
    beam: Beam = None,
    n_best: Annotated[int, typer.Option(min=1, max=100, help="Print this many of the best translations.")] = 1,
    sample: Annotated[bool, typer.Option("--sample", help="Draw a translation instead of searching the best.")] = False,
    temperature: Annotated[float, typer.Option(help="Divides the scores of --sample.")] = 1.0,
    nucleus: Annotated[float, typer.Option(help="Draw --sample from this much of the probability.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, max=MOST_SEED, help="Seed of --sample.")] = 0,
    gif: Annotated[Path | None, typer.Option(help="Film of the alignment: .gif, .webp or .png.")] = None,
    strip: StripFile = None,
    seconds: Seconds = 0.4,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Translate sentences: a line in, a line out, in order; an empty line of stdin stays empty."""
    outputs.check_all({"--gif": gif}, {"--strip": strip}, overwrite=overwrite)
    result_of(run, SYSTEM, "")
    if sample and (beam or n_best > 1):
        raise InputError("--sample, or --beam and --n-best", "both", "leave one out")
    lines = _given(sentences)
    filled = [line for line in lines if line.strip()]
    if (gif or strip) and len(filled) > MOST_FILMED:
        found = f"{len(filled):,}"
        raise InputError(f"at most {MOST_FILMED} sentences with --gif or --strip", found, "give fewer")
    network = _open(run)
    if sample:
        translated = network.sample(filled, seed=seed, temperature=temperature, nucleus=nucleus)
    else:
        translated = network.write(filled, beams=max(beam or network.config.beams, n_best), candidates=n_best)
    wrote = _draw(network, filled, [one.text for one in translated], gif, strip, seconds, overwrite)
    _show(lines, translated, wrote, n_best, as_json)


def _open(run: Path) -> "Translator":
    """Open a trained network of this system."""
    from saccade.pipeline.trained import open_trained
    from saccade.translate.translator import Translator

    network = open_trained(run, SYSTEM)
    assert isinstance(network, Translator)
    return network


def _given(sentences: Sequence[str]) -> list[str]:
    """Return the sentences of the command line, or the lines of stdin for the single argument -.

    Raises:
        InputError: an empty sentence, nothing on stdin, or text that is not UTF-8.
    """
    if list(sentences) == ["-"]:
        lines = to_lines(sys.stdin.buffer.read(), "stdin")
        if not any(line.strip() for line in lines):
            raise InputError("sentences on stdin", "nothing", "give a sentence a line")
        return lines
    for number, sentence in enumerate(sentences, 1):
        if not sentence.strip():
            raise InputError("a sentence", f"nothing in argument {number}", "give some words")
        if "\n" in sentence.strip():
            raise InputError("a sentence without line breaks", f"{sentence[:40]!r}", "give each line by itself")
    return list(sentences)


def _draw(
    network: "Translator",
    sentences: list[str],
    texts: list[str],
    gif: Path | None,
    strip: Path | None,
    seconds: float,
    overwrite: bool,
) -> list[str]:
    """Draw the alignment of translations; return the files."""
    if not (gif or strip):
        return []
    from saccade.pipeline.animate import show

    trace = network.trace(sentences, texts)
    return show.write_pictures(trace, gif, strip, seconds=seconds, overwrite=overwrite)


def _show(lines: list[str], translated: Sequence["Translation"], wrote: list[str], n_best: int, as_json: bool) -> None:
    """Print translations on stdout, a line each, and on stderr what is to be said about them."""
    from saccade.terminal import screen

    found = iter(translated)
    rows: list[Record] = []
    for number, line in enumerate(lines, 1):
        one = next(found) if line.strip() else None
        candidates = [] if one is None else [c._asdict() for c in one.candidates]
        text, unknown = ("", []) if one is None else (one.text, one.unknown)
        rows.append({"source": line, "translation": text, "candidates": candidates, "unknown": unknown})
        if unknown:
            words = ", ".join(unknown[:5])
            screen.say(f"warning: sentence {number}: {words}: letters that the network has never seen; it only guesses")
    if as_json:
        screen.give({"translations": rows, "wrote": wrote}, as_json=True)
        return
    for row in rows:
        shown = [f"{c['score']:.3f}\t{c['text']}" for c in row["candidates"]] if n_best > 1 else [row["translation"]]
        sys.stdout.write("".join(f"{text}\n" for text in shown or [""]))
    sys.stdout.flush()
    for file in wrote:
        screen.say(f"wrote {file}")


def gif(
    path: RunPath,
    index: Index = 0,
    count: Count = 1,
    out: Annotated[Path | None, typer.Option(help="File (.gif, .webp, .png); or RUN/alignment-INDEX.gif.")] = None,
    strip: StripFile = None,
    beam: Beam = None,
    seconds: Seconds = 0.4,
    data_dir: DataDir = None,
    split: SplitName = "test",
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Film the alignment of the network's own translations of held-out sentences."""
    film = out or result_of(path, SYSTEM, film_name("alignment", index, count))
    outputs.check_all({"--out": film}, {"--strip": strip}, overwrite=overwrite)
    network = _open(path)
    source = network.source(data_dir)
    batch = network.held_out(source, split, index, count)
    pairs = [pair for corpus in source.corpora(split) for pair in zip(corpus.sources, corpus.targets, strict=True)]
    chosen = [pairs[number] for number in batch.number.tolist()]
    sentences = [sentence for sentence, _ in chosen]
    translated = network.write(sentences, beams=beam)
    outputs.make_folder_of(film)
    wrote = _draw(network, sentences, [one.text for one in translated], film, strip, seconds, overwrite)
    from saccade.terminal import screen

    rows = [
        {"source": one.source, "translation": one.text, "reference": reference}
        for one, (_, reference) in zip(translated, chosen, strict=True)
    ]
    if not as_json:
        for row in rows:
            sys.stdout.write("".join(f"{name}: {text}\n" for name, text in row.items()))
        sys.stdout.flush()
    screen.give({"wrote": wrote, "split": split} | ({"translations": rows} if as_json else {}), as_json=as_json)


VERBS = {
    "train": train_command(SYSTEM, THEN),
    "eval": evaluate,
    "write": write,
    "gif": gif,
}
"""The verbs, by name."""
