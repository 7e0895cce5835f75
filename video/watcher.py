"""A trained video network in Python: watch a user's own recording, frame by frame, and answer while frames arrive."""

import statistics
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from saccade.errors import InputError
from saccade.pipeline.contract import AnySource, Episode, Trace
from saccade.pipeline.device import own_device
from saccade.pipeline.trained import Trained, load_data
from saccade.recurrent.tree import Tree, map_tensors
from saccade.recurrent.unroll import unroll
from saccade.video.clip import network_frames
from saccade.video.config import Config
from saccade.video.reader import Answer
from saccade.video.recogniser import Recogniser
from saccade.video.sentence import merged
from saccade.videos.config import VideoFacts
from saccade.videos.files import Box, cropped, fitted, read_frames
from saccade.videos.recordings import UNKNOWN, Clips

MOST_FILMED = 1000
"""Most frames of a film."""


class Glance(NamedTuple):
    """The answer after a frame, made from this frame and those before it alone."""

    frame: int
    """Number of the frame, from 0."""
    label: str
    """The likeliest class: of the clip so far (task clip), or of this frame (task frames)."""
    probability: float
    sentence: tuple[str, ...] | None
    """The words so far (task frames)."""
    milliseconds: float
    """Time from the frame's arrival to the answer."""


class Watched(NamedTuple):
    """A recording that was read to its end."""

    glances: list[Glance]
    trace: Trace

    @property
    def milliseconds(self) -> float:
        """Median time of an answer."""
        return statistics.median(glance.milliseconds for glance in self.glances)


class Watcher(Trained[Config, Tree, VideoFacts]):
    """A trained network of the video system."""

    def source_of(self, dataset: str, data_dir: str | None = None) -> AnySource:
        """Load other data of the kind that it was trained on.

        Raises:
            InputError: missing or damaged data, or data of other sizes or classes.
        """
        from dataclasses import replace

        run = self.run
        source = load_data(replace(run, data=replace(run.data, dataset=dataset, data_dir=data_dir)))
        if source.facts != self.facts:
            found = f"other data ({'; '.join(self.facts.differences(source.facts)):.200})"
            raise InputError("data as those that this network was trained on", found, "give those")
        return source

    def watch(self, frames: Iterable[NDArray[np.uint8]]) -> Iterator[tuple[Glance, Answer, Tensor]]:
        """Answer after every frame, while frames arrive; nothing but the network's state is kept.

        Args:
            frames: uint8 [C, H, W] of the network's size.

        Yields:
            For each frame the answer in words, the network's output [1, 1, ...], and the frame as the network saw it.

        Raises:
            InputError: a network that needs the whole clip, or is of another task.
        """
        core = self._causal()
        state, path = core.initial_state(1), []
        for number, pixels in enumerate(frames):
            began = time.perf_counter()
            frame = torch.from_numpy(np.array(pixels))[None, None].to(own_device())  # [1, 1, C, H, W]
            with torch.no_grad():
                answer, state = unroll(core, network_frames(frame), state)
            probabilities = answer.logits[0, 0].float().softmax(0)
            best = int(probabilities.argmax())
            sentence = None
            if answer.symbols is not None:
                path.append(int(answer.symbols[0, 0].argmax()))
                sentence = tuple(self.facts.words[word] for word in merged(path))
            spent = 1000 * (time.perf_counter() - began)
            yield Glance(number, self.facts.classes[best], float(probabilities[best]), sentence, spent), answer, frame

    def read(self, path: Path | str, box: Box | None = None, most: int | None = None) -> Watched:
        """Read a video file, a GIF or a folder of pictures to its end.

        Args:
            path: the recording.
            box: the part of its frames to look at; by default the largest middle part of the network's shape.
            most: refuse a longer one; by default no film can be made of more than 1,000 frames.

        Raises:
            InputError: see `watch` and `saccade.videos.files.read_frames`.
        """
        facts = self.facts
        found = read_frames(Path(path)) if most is None else read_frames(Path(path), most)
        parts = (frame if box is None else cropped(frame, box) for frame in found)
        seen = [*self.watch(fitted(part, facts.channels, facts.height, facts.width) for part in parts)]
        outputs = map_tensors(lambda *leaves: torch.cat(leaves), *(answer for _, answer, _ in seen))
        frames = torch.cat([frame for _, _, frame in seen], dim=1)
        lengths, unknown = torch.tensor([len(seen)]), torch.tensor([UNKNOWN])
        batch = Clips(frames, lengths, unknown)
        trace = Trace(self.run.system, outputs, Episode(network_frames(frames), lengths=lengths), batch, facts)
        return Watched([glance for glance, _, _ in seen], trace)

    def _causal(self) -> Recogniser:
        """Return the network, if it can answer while frames arrive."""
        if isinstance(self.core, Recogniser) and self.facts.kind == "pictures" and not self.facts.marked:
            return self.core
        task, kind = self.config.task, self.facts.kind
        found = "one that reads both ways" if task != "next" and kind == "pictures" else f"one for {task} of {kind}"
        if self.facts.marked:
            found = "one that needs to be told which frames are a word's"
        do = "train one with --task clip or frames, --direction forward, on pictures"
        raise InputError("a network that answers while frames arrive", found, do)
