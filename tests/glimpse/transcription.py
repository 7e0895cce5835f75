"""A step of RAM in NumPy, equation by equation (Mnih et al. 2014, section 3.1), with the torch model's weights."""

from typing import NamedTuple

import numpy as np

Array = np.ndarray
Weights = dict[str, Array]


class Steps(NamedTuple):
    """All that an unroll computes, [T, B, ...]."""

    location: Array
    patches: Array
    mean: Array
    sample: Array
    chosen: Array
    logits: Array
    baseline: Array
    h: Array


def linear(weights: Weights, name: str, x: Array) -> Array:
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def rectify(x: Array) -> Array:
    return np.maximum(x, 0)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def retina(image: Array, location: Array, side: int, scales: int) -> Array:
    """rho(x, l), figure 1A: of one image [C, H, W] the patches [S, C, g, g], pixel by pixel; 0 beyond the border."""
    channels, height, width = image.shape
    patches = np.zeros((scales, channels, side, side), image.dtype)
    for s in range(scales):
        ratio = 2**s
        corner = [(at + 1) * size / 2 - ratio * side / 2 for at, size in zip(location, (width, height), strict=True)]
        left, top = (int(np.round(at)) for at in corner)
        for i in range(ratio * side):
            for j in range(ratio * side):
                y, x = top + i, left + j
                if 0 <= y < height and 0 <= x < width:
                    patches[s, :, i // ratio, j // ratio] += image[:, y, x] / ratio**2
    return patches


def glimpse_network(weights: Weights, patches: Array, location: Array) -> Array:
    """f_g, figure 1B and section 4: g = Rect(Linear(h_g) + Linear(h_l))."""
    what = rectify(linear(weights, "glimpse.what", patches.reshape(len(patches), -1)))  # h_g
    where = rectify(linear(weights, "glimpse.where", location))  # h_l
    return rectify(linear(weights, "glimpse.from_what", what) + linear(weights, "glimpse.from_where", where))


def core(weights: Weights, prefix: str, kind: str, g: Array, state: tuple[Array, ...]) -> tuple[Array, ...]:
    """f_h, figure 1C: the rectified RNN of section 4, an LSTM or a GRU."""
    of_input = g @ weights[f"{prefix}.weight_ih"].T + weights[f"{prefix}.bias_ih"]
    of_state = state[0] @ weights[f"{prefix}.weight_hh"].T + weights[f"{prefix}.bias_hh"]
    if kind == "rnn":
        return (rectify(of_input + of_state),)
    if kind == "lstm":
        i, f, c, o = np.split(of_input + of_state, 4, axis=1)
        cell = sigmoid(f) * state[1] + sigmoid(i) * np.tanh(c)
        return sigmoid(o) * np.tanh(cell), cell
    reset_i, update_i, new_i = np.split(of_input, 3, axis=1)
    reset_h, update_h, new_h = np.split(of_state, 3, axis=1)
    new = np.tanh(new_i + sigmoid(reset_i + reset_h) * new_h)
    update = sigmoid(update_i + update_h)
    return ((1 - update) * new + update * state[0],)


def unroll(
    weights: Weights,
    images: Array,
    noise: Array,
    forced: Array,
    std: float,
    *,
    patch: int,
    scales: int,
    gain: float,
    kind: str,
    layers: int,
    moves: bool,
) -> Steps:
    """All T steps: noise and forced locations [T, B, 2], NaN where the policy chooses.

    With moves, the policy and the glimpse network count from the last location, at first the centre.
    """
    steps, batch = noise.shape[:2]
    hidden = weights["policy.weight"].shape[1]
    states = [tuple(np.zeros((batch, hidden)) for _ in range(2 if kind == "lstm" else 1)) for _ in range(layers)]
    found: list[tuple[Array, ...]] = []
    origin = np.zeros((batch, 2))
    for t in range(steps):
        h = states[-1][0]
        mean = origin + np.tanh(linear(weights, "policy", gain * h) + weights["prior"][:, t])  # f_l(h_{t-1})
        sample = mean + std * noise[t]  # l_t ~ N(f_l(h_{t-1}), std)
        chosen = np.isnan(forced[t]).any(1)
        location = np.clip(np.where(chosen[:, None], sample, forced[t]), -1, 1)
        patches = np.stack([retina(x, at, patch, scales) for x, at in zip(images, location, strict=True)])
        g = glimpse_network(weights, patches, location - origin)
        origin = location if moves else origin
        baseline = linear(weights, "baseline", h)[:, 0]  # b_t
        for layer in range(layers):
            prefix = "core.cell" if layers == 1 else f"core.layers.{layer}.cell"
            states[layer] = core(weights, prefix, kind, g, states[layer])
            g = states[layer][0]
        name = "classifier" if t == steps - 1 else "probe"  # f_a(h_T), section 3.1
        found.append((location, patches, mean, sample, chosen, linear(weights, name, g), baseline, g))
    return Steps(*(np.stack(values) for values in zip(*found, strict=True)))
