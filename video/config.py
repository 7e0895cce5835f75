"""Settings of the video system: three tasks, one network each. Torch-free."""

from typing import Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from saccade.pipeline.config import STRICT, TrainConfig
from saccade.pipeline.systems import Metric, Spec
from saccade.videos.config import VideoData, VideoFacts


@dataclass(frozen=True, config=STRICT)
class Config:
    """The task, and its network."""

    task: Literal["clip", "frames", "next"] = "clip"
    """Task: one label for a clip; a label for every frame and the sentence of a clip; or the next frames."""

    core: Literal["lstm", "gru", "rnn", "average"] = "gru"
    """Clip and frames: recurrent cell; or average, no recurrence (the control)."""

    direction: Literal["forward", "both"] = "forward"
    """Clip and frames: read the clip forward, which can answer while frames arrive, or in both directions."""

    hidden: int = Field(default=128, ge=1, le=4096)
    """Clip and frames: units of each recurrent layer."""

    layers: int = Field(default=1, ge=1, le=8)
    """Number of recurrent layers (next: of ConvLSTM layers)."""

    pooling: Literal["last", "mean", "attention"] = "last"
    """Clip: the answer is made from the last state, the mean of all states so far, or their weighted mean."""

    encoder: Literal["conv", "components"] = "conv"
    """Clip and frames, pictures: a small convolutional network per frame, or the frame's principal components, which
    need less data."""

    components: int = Field(default=64, ge=1, le=4096)
    """Clip and frames: number of principal components."""

    span: int = Field(default=1, ge=1, le=50)
    """Clip, skeletons: frames over which a joint's movement is measured, besides that since the frame before."""

    width: int = Field(default=16, ge=1, le=512)
    """Channels of the convolutional network's first layer; each further layer has as many more."""

    features: int = Field(default=128, ge=1, le=4096)
    """Clip and frames: numbers that describe a frame."""

    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Clip and frames: fraction of the features that training drops, the same ones in all frames of a clip."""

    smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Clip and frames: label smoothing."""

    frames_weight: float = Field(default=0.0, ge=0, le=100)
    """Clip: weight of the loss of each frame's own label beside the clip's; needs marked data."""

    views: int = Field(default=0, ge=0, le=16)
    """Clip: further views of every clip in an evaluation, whose probabilities are averaged with the clip's own:
    skeletons turned to either side, pictures mirrored (1)."""

    ctc_weight: float = Field(default=0.5, ge=0, le=100)
    """Frames: weight of the sentence's loss (CTC) beside the frames' loss."""

    beam: int = Field(default=10, ge=1, le=100)
    """Frames: beam width with which the sentence is decoded; greedy decoding is always measured too."""

    network: Literal["objects", "convlstm"] = "objects"
    """Next: a predictor that finds objects and paints them, or a ConvLSTM."""

    channels: int = Field(default=32, ge=1, le=512)
    """Next: channels of a ConvLSTM layer."""

    kernel: int = Field(default=3, ge=1, le=15)
    """Next: height and width of a ConvLSTM's filters; odd."""

    cells: int = Field(default=4, ge=1, le=16)
    """Next: side in pixels of the squares into which a ConvLSTM folds a frame."""

    slots: int = Field(default=2, ge=1, le=4)
    """Next: objects for which the painting predictor has room."""

    paths: int = Field(default=4, ge=1, le=32)
    """Next, objects: courses that are thought possible for each object; it may or may not have reached an edge."""

    sampling: float = Field(default=1.0, ge=0, le=1)
    """Next, ConvLSTM: scheduled sampling; at the end of this fraction of the training every predicted frame is fed
    back in place of the true one."""

    places_weight: float = Field(default=1.0, ge=0, le=1000)
    """Next, objects: weight of the loss of the places, which the generator of moving digits knows."""

    @model_validator(mode="after")
    def _fits(self) -> "Config":
        if self.kernel % 2 == 0:
            raise ValueError("an odd kernel")
        if self.core == "average" and (self.direction == "both" or self.layers > 1):
            raise ValueError("direction forward and 1 layer with core average, which has no recurrence")
        if self.views % 2 and self.views > 1:
            raise ValueError("an even number of views, to either side, or 1")
        if self.task == "clip" and self.core == "average" and self.pooling == "last":
            raise ValueError("pooling mean or attention with core average: its last frame alone is no average")
        return self


METRICS = (
    Metric(
        "accuracy_percent", "accuracy", "% of the clips right", "Clips whose class is right.", "higher", optional=True
    ),
    Metric("frame_accuracy_percent", "frames", "% of the frames right", "Labels of frames.", "higher", optional=True),
    Metric("word_error_percent", "word errors", "% word error rate, beam", "Word error rate.", optional=True),
    Metric(
        "mse", "MSE a frame", "squared error a frame", "Sum over the pixels, mean over predicted frames.", optional=True
    ),
    Metric("ssim", "SSIM", "", "Structural similarity.", "higher", optional=True),
    Metric("psnr", "PSNR", "dB", "Peak signal-to-noise ratio.", "higher", optional=True),
)

TRAIN = TrainConfig(epochs=8, batch_size=32, learning_rate=2e-3, clip=5.0)

SPEC = Spec(config=Config, data=VideoData(), facts=VideoFacts, metrics=METRICS, train=TRAIN, unit="clips")
