"""A trained sketch-rnn in Python: draws, redraws, finishes a person's drawing, walks between two, and reads."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from saccade.errors import InputError
from saccade.pipeline.contract import Episode, Trace
from saccade.pipeline.trained import Trained
from saccade.recurrent.sequence import clear_padding, last, mask
from saccade.recurrent.unroll import unroll
from saccade.sketch.config import Config, SketchFacts
from saccade.sketch.episodes import drawing_episode, five_features, inputs_of, trimmed
from saccade.sketch.gallery import Drawings, Gallery, Reading, spherical
from saccade.sketch.loss import divergence, nats
from saccade.sketch.model import Given, Seen, Sketch
from saccade.sketch.pen_reader import reading_episode
from saccade.sketch.sampling import noise_for, sample
from saccade.sketch.source import Strokes, pad
from saccade.sketch.strokes import FRAME, Points, framed, to_moves, to_strokes

TEMPERATURE = 0.4
"""Temperature of drawings by default."""

ROOM = 2
"""A drawing may take so many times the moves of the longest training drawing before it is stopped as unfinished."""


class Artist(Trained[Config, Strokes, SketchFacts]):
    """A trained sketch-rnn."""

    def generate(self, what: int | str = 1, seed: int = 0, temperature: float = TEMPERATURE) -> Drawings:
        """Draw from noise alone.

        Args:
            what: the number of drawings; or a text, a class for each character (networks trained with labels).
            seed: of the latents and of every move.
            temperature: low for the likeliest moves, 1 for the network's own spread.

        Raises:
            InputError: fewer than 1, a character that is no class, a temperature of 0 or less, or a reader.
        """
        labels = self._labels(what)
        return self.draw(self.noise_of(len(labels), -1 if isinstance(what, int) else labels, seed), seed, temperature)

    def noise_of(self, count: int, labels: Tensor | int, seed: int) -> Given:
        """Return z of the prior for new drawings of a class; -1: of any."""
        generator = torch.Generator().manual_seed(seed)
        z = torch.randn(count, self.config.latent, generator=generator)
        if isinstance(labels, int):
            labels = torch.full((count,), labels)
            if labels[0] < 0:
                classes = len(self.facts.classes) if self.config.labelled else 1
                labels = torch.randint(classes, (count,), generator=generator)
        return Given(z, labels)

    def draw(
        self,
        context: Given | Seen,
        seed: int = 0,
        temperature: float = TEMPERATURE,
        begun: Strokes | None = None,
        original: Strokes | None = None,
    ) -> Drawings:
        """Draw one drawing for each z of a context; after the moves of `begun`, where they are given."""
        core, examples = self._sketch(), len(context.labels)
        given = 0 if begun is None else int(begun.lengths[0])
        noise = noise_for(ROOM * self.facts.longest, examples, torch.Generator().manual_seed(seed + 1))
        first = None if begun is None else inputs_of(begun)
        drawn = sample(core, context, noise, temperature, first)
        moves = drawn.moves if begun is None else torch.cat([begun.moves, drawn.moves], dim=1)
        lengths = drawn.lengths + given
        moves = clear_padding(moves, mask(lengths.clamp(min=1), moves.shape[1]).t())
        gallery = Gallery(moves, lengths, context.labels, torch.full_like(lengths, given))
        if original is not None:
            gallery = gallery._replace(original=original.moves, original_lengths=original.lengths)
        trace = Trace("sketch", drawn.fed, Episode(noise[: len(drawn.fed.choice.move)]), gallery, self.facts)
        return Drawings(self._strokes(gallery), self._names(context.labels), int((~drawn.ended).sum()), trace)

    def encode(self, batch: Strokes) -> Float[Tensor, "B Z"]:
        """Return the posterior means of drawings, their places in the space of z.

        Raises:
            InputError: a network without an encoder.
        """
        core = self._sketch()
        if core.encoder is None:
            raise InputError("a network with latent variables", "a decoder-only one", "train with --latent, e.g. 32")
        with torch.no_grad():
            return core.prepare(self._seen(trimmed(batch))).mu

    def redraw(self, batch: Strokes, seed: int = 0, temperature: float = TEMPERATURE) -> Drawings:
        """Draw each drawing again from its z, the posterior mean."""
        return self.draw(Given(self.encode(batch), batch.labels.clamp(min=0)), seed, temperature, original=batch)

    def between(
        self, first: Strokes, second: Strokes, steps: int, seed: int = 0, temperature: float = TEMPERATURE
    ) -> Drawings:
        """Draw on the way from one drawing's z to another's (spherical interpolation, section 4.2)."""
        a, b = self.encode(first), self.encode(second)
        share = torch.linspace(0, 1, steps)[:, None]
        labels = torch.where(share[:, 0] < 0.5, first.labels, second.labels).clamp(min=0)
        return self.draw(Given(spherical(a, b, share), labels), seed, temperature)

    def complete(
        self, begun: Strokes, count: int = 9, seed: int = 0, temperature: float = TEMPERATURE, label: str | None = None
    ) -> Drawings:
        """Finish a drawing in several ways: z is drawn from the posterior of what is given.

        Raises:
            InputError: a begun drawing as long as the longest, or an unknown class.
        """
        if int(begun.lengths[0]) >= self.facts.longest:
            found = f"{int(begun.lengths[0])} moves"
            do = "begin with less, or simplify it"
            raise InputError(f"fewer moves than the longest drawing's {self.facts.longest}", found, do)
        whole = Strokes(*(leaf.expand(count, *leaf.shape[1:]) for leaf in begun))
        labels = torch.full((count,), self.label_of(label) if label is not None else self.likeliest(begun))
        return self.draw(self.imagined(whole, labels, seed), seed, temperature, begun=whole)

    @torch.no_grad()
    def imagined(self, begun: Strokes, labels: Tensor, seed: int) -> Given:
        """Return a z for each begun drawing, drawn from the posterior of what is given."""
        noise = torch.randn(len(labels), self.config.latent, generator=torch.Generator().manual_seed(seed))
        core = self._sketch()
        if core.encoder is None:
            return Given(noise, labels)
        mu, log_variance = core.encoder(self._seen(begun))
        return Given(mu + torch.exp(log_variance / 2) * noise, labels)  # equation 2

    def read(self, batch: Strokes) -> list[Reading]:
        """Return a class for each drawing: a reader's answer, or by Bayes' rule the class that explains it best.

        Raises:
            InputError: a network that was trained without classes.
        """
        classes = self.facts.classes
        rows = self.log_probabilities(batch).softmax(1).tolist()
        named = [dict(zip(classes, row, strict=True)) for row in rows]
        return [Reading(max(found, key=found.__getitem__), found) for found in named]

    @torch.no_grad()
    def log_probabilities(self, batch: Strokes) -> Float[Tensor, "B K"]:
        """Return log p(class | drawing) up to a constant; of a network that draws, its bound on log p(drawing | class).

        Raises:
            InputError: a network that was trained without classes.
        """
        generator, config = torch.Generator().manual_seed(0), replace(self.config, dropout=0.0)
        if self.config.task == "read":
            episode = reading_episode(batch, config, generator)
            core = self.core
            outputs, _ = unroll(core, episode.inputs, core.initial_state(len(batch.labels)), lengths=episode.lengths)
            return last(outputs, episode.lengths)
        if not self.config.labelled:
            do = "train one with --task read, or with --labelled"
            raise InputError("a network that was trained with classes", "one without", do)
        classes, examples = len(self.facts.classes), len(batch.labels)
        of_all = Strokes(*(leaf.repeat(classes, *[1] * (leaf.ndim - 1)) for leaf in batch))
        labels = torch.arange(classes).repeat_interleave(examples)  # every drawing as of every class, at once
        episode = drawing_episode(of_all._replace(labels=labels), config, generator, 1.0)
        context = episode.context._replace(noise=torch.zeros_like(episode.context.noise))
        step, _ = unroll(self.core, episode.inputs, self.core.initial_state(len(labels)), context)
        wrong = nats(step, episode.targets)
        bound = wrong.offsets + wrong.pen + divergence(step.mu[0], step.log_variance[0])
        return -bound.view(classes, examples).t()

    def with_heat(self, trace: Trace) -> Trace:
        """Return a trace whose pictures shade where the next point may be.

        Raises:
            InputError: a network that reads, which predicts no point.
        """
        self._sketch()
        batch = trace.batch
        if not isinstance(batch, Gallery):
            batch = Gallery(batch.moves, batch.lengths, batch.labels, torch.zeros_like(batch.lengths))
        return trace._replace(batch=batch._replace(heat=torch.ones_like(batch.lengths, dtype=torch.bool)))

    def strokes_of(self, strokes: Sequence[Points], *, whole: float | None = None, pen_down: bool = False) -> Strokes:
        """Convert a person's strokes to a batch of one, simplified, and scaled to the size of the training drawings.

        Args:
            whole: longer side that the whole drawing would have, if the strokes are only its beginning; by default
                the strokes' own.
            pen_down: the last stroke is not finished.

        Raises:
            InputError: no drawing.
        """
        tolerance = self.run.data.simplify or 2.0
        own = [stroke * (self.facts.size / FRAME) for stroke in framed(strokes, tolerance, whole=whole)]
        moves = to_moves(own)
        if pen_down:
            moves[-1, 2] = 0
        return pad([moves], [-1], self.facts)

    def label_of(self, name: str) -> int:
        """Return the class of that name.

        Raises:
            InputError: there is none.
        """
        if name not in self.facts.classes:
            raise InputError(f"a class among {', '.join(self.facts.classes)}", repr(name), "name one of them")
        return self.facts.classes.index(name)

    def _labels(self, what: int | str) -> Tensor:
        if isinstance(what, int):
            if what < 1:
                raise InputError("1 drawing or more", str(what), "raise the number")
            return torch.zeros(what, dtype=torch.int64)
        if not self.config.labelled:
            do = "train one with --labelled"
            raise InputError("a network that was trained with labels", "one without, asked for classes", do)
        if not what:
            raise InputError("a text of one character or more", "an empty one", "give one")
        return torch.tensor([self.label_of(character) for character in what])

    def likeliest(self, begun: Strokes) -> int:
        """Return the class that explains a drawing best; 0 for a network without classes."""
        return int(self.log_probabilities(begun).argmax()) if self.config.labelled else 0

    def _seen(self, batch: Strokes) -> Seen:
        five = five_features(batch.moves, batch.lengths)
        noise = five.new_zeros(len(five), self.config.latent)
        return Seen(five, batch.lengths, noise, batch.labels.clamp(min=0))

    def _sketch(self) -> Sketch:
        if not isinstance(self.core, Sketch):
            raise InputError("a network that draws", "one that reads", "train one with --task draw")
        return self.core

    def _names(self, labels: Tensor) -> list[str | None]:
        return [self.facts.classes[label] if self.config.labelled else None for label in labels.tolist()]

    def _strokes(self, gallery: Gallery) -> list[list[Points]]:
        unit = self.facts.unit
        return [
            [stroke * unit for stroke in to_strokes(moves[:length].numpy())]
            for moves, length in zip(gallery.moves, gallery.lengths.tolist(), strict=True)
        ]
