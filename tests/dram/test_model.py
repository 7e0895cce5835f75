"""DRAM's equations against NumPy; the glance, the rollouts, sequences of different lengths."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from saccade.dram.config import Config, SequenceFacts
from saccade.dram.model import DRAM
from saccade.dram.system import SYSTEM
from saccade.errors import InputError
from saccade.recurrent.tree import named_tensors, take
from tests.dram import transcription
from tests.dram.cases import FACTS, as_double, batch_of, config, episode_of, network, unrolled

DESIGNS = {
    "gru": config(),
    "lstm, places": config(core="lstm", action="place"),
    "rnn, not told": config(core="rnn", place_told=False),
}


@pytest.mark.parametrize("settings", DESIGNS.values(), ids=DESIGNS.keys())
def test_every_equation_equals_its_transcription(settings: Config) -> None:
    settings = replace(settings, rollouts=1)
    core, episode = network(settings, double=True), as_double(episode_of(settings, batch_of(3)))
    with torch.no_grad():
        found = unrolled(core, episode)
    weights = {name: leaf.detach().numpy() for name, leaf in core.state_dict().items()}
    inputs = episode.inputs
    wanted = transcription.unrolled(
        weights, settings, episode.context.numpy(), inputs.noise.numpy(), inputs.std.numpy()
    )
    np.testing.assert_allclose(found.location, wanted.location, atol=1e-6)  # the glance is rounded to float32
    np.testing.assert_allclose(found.patches, wanted.patches, atol=1e-6)
    np.testing.assert_allclose(found.mean, wanted.mean, atol=1e-6)
    np.testing.assert_allclose(found.logits, wanted.logits, atol=1e-5)


def test_the_glance_alone_decides_the_first_location_and_the_lower_layer_starts_blank() -> None:
    settings = config(gaze="mean", rollouts=1)
    core, batch = network(settings), batch_of(4)
    with torch.no_grad():
        first = unrolled(core, episode_of(settings, batch))
        for parameter in (*core.lower.parameters(), *core.glimpse.parameters()):
            parameter.zero_()
        again = unrolled(core, episode_of(settings, batch))
    assert first.location[0].std(dim=0).min() > 1e-4, "each picture has its own first location"
    torch.testing.assert_close(first.location[0], again.location[0])
    assert not torch.allclose(first.location[1], again.location[1])


def test_without_a_glance_every_picture_starts_at_one_place() -> None:
    settings = config(glance=0, gaze="mean", rollouts=1)
    with torch.no_grad():
        found = unrolled(network(settings), episode_of(settings, batch_of(4)))
    assert found.location[0].std(dim=0).max() == 0 and found.location[1].std(dim=0).min() > 0


def test_rollouts_share_the_glance_and_equal_pictures_read_alone() -> None:
    settings, batch = config(rollouts=3), batch_of(4)
    core, episode = network(settings), episode_of(settings, batch)
    with torch.no_grad():
        together = unrolled(core, episode)
        for example in (0, 5, 11):
            alone = episode._replace(
                inputs=take(episode.inputs, slice(example, example + 1), axis=1),
                context=episode.context[example : example + 1],
            )
            single = named_tensors(unrolled(core, alone))
            for name, leaf in named_tensors(together).items():
                torch.testing.assert_close(leaf[:, example : example + 1], single[name], rtol=1e-4, atol=1e-5)


def test_texts_of_different_lengths_train_in_one_batch_as_they_do_alone() -> None:
    settings, batch = config(rollouts=2, stop="halting", halting_gradient="exact"), batch_of(3)
    core = network(settings, double=True)
    episode = as_double(episode_of(settings, batch))
    SYSTEM.loss(unrolled(core, episode), episode, settings).total.backward()
    together = {name: p.grad.clone() for name, p in core.named_parameters() if p.grad is not None}
    core.zero_grad()
    shares = batch.number.double() / batch.number.sum()  # every symbol weighs the same
    for example in range(3):
        chosen = torch.tensor([example, example + 3])
        part = episode._replace(
            inputs=take(episode.inputs, chosen, axis=1),
            context=episode.context[chosen],
            targets=(episode.targets[0][chosen], episode.targets[1][chosen]),
        )
        loss = SYSTEM.loss(unrolled(core, part), part, replace(settings, reinforce_weight=0.0))
        (loss.total * shares[example]).backward()
    alone = {name: p.grad for name, p in core.named_parameters() if p.grad is not None}
    torch.testing.assert_close(alone["classifier.weight"], together["classifier.weight"], rtol=1e-8, atol=1e-10)


def test_longer_padding_changes_nothing() -> None:
    settings, batch = config(rollouts=1, gaze="mean"), batch_of(3)
    core = network(settings)
    padded = torch.nn.functional.pad(batch.targets, (0, 2), value=-1)
    losses, found = [], []
    for one in (batch, batch._replace(targets=padded)):
        episode = episode_of(settings, one)
        with torch.no_grad():
            outputs = unrolled(core, episode)
        losses.append(SYSTEM.loss(outputs, episode, settings).total)
        found.append(outputs.logits[: 4 * settings.glimpses])
    torch.testing.assert_close(losses[0], losses[1])
    torch.testing.assert_close(found[0], found[1])


def test_rams_single_layer_looks_and_answers() -> None:
    settings = config(upper=0, glance=0, rollouts=2)
    core, episode = network(settings), episode_of(settings, batch_of(3))
    SYSTEM.loss(unrolled(core, episode), episode, settings).total.backward()
    assert core.upper is None
    grad = core.emission.weight.grad
    assert grad is not None and grad.abs().max() > 0


def test_convolutions_see_in_place_of_the_dense_network() -> None:
    settings = config(sees="conv", features=16, rollouts=2)
    core, episode = network(settings), episode_of(settings, batch_of(3))
    SYSTEM.loss(unrolled(core, episode), episode, settings).total.backward()
    for name, parameter in core.glimpse.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"patch": 40}, "a patch no larger than the picture, 24 x 24 pixels"),
        ({"upper": 0}, "an upper layer for the glance"),
        ({"glance": 60}, "a glance of at most 24 pixels"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        DRAM(config(**settings), FACTS)


def test_a_cnn_cannot_halt() -> None:
    with pytest.raises(InputError, match="change --stop"):
        SYSTEM.build(config(network="cnn", stop="halting"), SequenceFacts(1, 24, 24, ("0",), 1, 1))
