"""Show, Attend and Tell in NumPy, equation by equation (Xu et al. 2015, section 3.1.2), with the model's weights."""

from typing import NamedTuple

import numpy as np

Array = np.ndarray
Weights = dict[str, Array]


class Told(NamedTuple):
    """The outputs for one caption of one picture, [T, ...]."""

    weights: Array
    gate: Array
    scores: Array
    hidden: Array


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def linear(w: Weights, name: str, x: Array) -> Array:
    return w[f"{name}.weight"] @ x + w.get(f"{name}.bias", 0.0)


def scores_of(w: Weights, kind: str, a: Array, h: Array) -> Array:
    """e_ti = f_att(a_i, h_{t-1}), equation 4: a layer of tanh, or a scaled dot product."""
    if kind == "additive":
        return np.array(
            [
                w["attention.score.weight"][0]
                @ np.tanh(linear(w, "attention.key", one) + linear(w, "attention.query", h))
                for one in a
            ]
        )
    return np.array([h @ (w["attention.key.weight"] @ one) / np.sqrt(len(h)) for one in a])


def lstm(w: Weights, x: Array, h: Array, c: Array) -> tuple[Array, Array]:
    """Equations 1 to 3; torch's order of the gates is i, f, g, o."""
    gates = (
        w["core.cell.weight_ih"] @ x + w["core.cell.bias_ih"] + w["core.cell.weight_hh"] @ h + w["core.cell.bias_hh"]
    )
    i, f, g, o = np.split(gates, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def tell(w: Weights, kind: str, vectors: Array, words: Array, places: Array | None = None) -> Told:
    """Read a caption.

    Args:
        kind: the score, "additive" or "dot"; "none" sees the mean.
        vectors: annotation vectors [L, D].
        words: y_{t-1} of every step [T].
        places: the place s_t that hard attention samples at every step; None: soft attention.
    """
    a = np.maximum(vectors @ w["project.weight"].T + w["project.bias"], 0) + w["places"]
    h, c = (np.tanh(linear(w, f"first.{i}", a.mean(0))) for i in (0, 1))  # f_init
    found = []
    for t, word in enumerate(words):
        e = np.zeros(len(a)) if kind == "none" else scores_of(w, kind, a, h)
        alpha = np.exp(e) / np.exp(e).sum()  # equation 5
        beta = sigmoid(linear(w, "gate", h))  # section 4.2.1
        z = beta * (alpha @ a if places is None else a[places[t]])
        vector = w["words.weight"][word]
        h, c = lstm(w, np.concatenate([vector, z]), h, c)
        said = linear(w, "from_hidden", h) + linear(w, "from_seen", z)  # without E y_{t-1}, see the model
        found.append((alpha, beta[0], w["words.weight"] @ said + w["output_bias"], h))  # equation 7
    return Told(*(np.array(column) for column in zip(*found, strict=True)))
