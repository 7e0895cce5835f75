"""Charts as inline SVG in the colours of the page, so that they follow its theme and need no library.

The family of a series decides its colour and marker; a family's further series in a chart have other shades. A point's
tooltip has its name and numbers.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup, escape

WIDTH, HEIGHT = 400, 280
LEFT, RIGHT, TOP, BOTTOM = 64, 22, 14, 42
UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
MARKERS = {
    "ram": '<circle cx="{x}" cy="{y}" r="4.2"/>',
    "window": '<path d="M{x} {y}m0-5.4l5.4 5.4-5.4 5.4-5.4-5.4z"/>',
    "scan": '<circle cx="{x}" cy="{y}" r="3.6" class="hollow"/>',
    "fc": '<path d="M{x} {y}m0-5l4.8 8.4h-9.6z"/>',
    "conv": '<path d="M{x} {y}m-3.6-3.6h7.2v7.2h-7.2z" class="hollow"/>',
    "cnn": '<path d="M{x} {y}m-4-4h8v8h-8z"/>',
}
SHADES = 4
"""Shades of a family's colour in style.css; the series after those begin again."""


class Series(NamedTuple):
    """A line, or a single point; `family` decides its colour."""

    label: str
    family: str
    x: Sequence[float]
    y: Sequence[float]
    dashed: bool = False
    spread: Sequence[tuple[float, float]] = ()  # lowest and highest y of each point


class Axis(NamedTuple):
    """An axis: its label, and True in `log` for a logarithmic scale."""

    label: str
    log: bool = False


def short(value: float) -> str:
    """Return a number with three significant digits: 1.25 M, 384, 0.34."""
    if value == 0:
        return "0"
    for size, unit in UNITS:
        if abs(value) >= size * 0.9995:
            return f"{_figures(value / size)} {unit}"
    return _figures(value)


def in_bytes(count: float) -> str:
    """Return a number of bytes with three significant digits: 128 B, 75.3 kB."""
    text = short(count)
    return f"{text}B" if text[-1].isalpha() else f"{text} B"


def _figures(value: float) -> str:
    digits = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    text = f"{value:.{min(digits, 5)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def chart(series: Sequence[Series], x: Axis, y: Axis, name: str) -> Markup:
    """Return a chart of some series with its legend; `name` is its description for screen readers."""
    drawn = [s for s in series if len(s.x)]
    if not drawn:
        return Markup('<p class="quiet">Nothing was measured.</p>')
    lows = [low for s in drawn for low, _ in s.spread] + [value for s in drawn for value in s.y]
    highs = [high for s in drawn for _, high in s.spread] + [value for s in drawn for value in s.y]
    across = _Scale([value for s in drawn for value in s.x], x.log, LEFT, WIDTH - RIGHT, zero=False)
    up = _Scale(lows + highs, y.log, HEIGHT - BOTTOM, TOP, zero=True)
    parts = [_frame(across, up, x, y)]
    shades = shades_of(drawn)
    parts += [_series(s, shades[s.label], across, up) for s in drawn]
    svg = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(name)}">{"".join(parts)}</svg>'
    return Markup(f'<figure class="chart">{svg}{_legend(drawn, shades)}</figure>')


class _Scale:
    """The mapping from values to pixels along one axis, and its ticks."""

    def __init__(self, values: Sequence[float], log: bool, start: float, end: float, zero: bool) -> None:
        self.log, self.start, self.end = log, start, end
        self.floor = min([v for v in values if v > 0], default=1.0)  # a logarithmic axis shows 0 at its lower end
        values = [max(v, self.floor) for v in values] if log else values
        low, high = min(values), max(values)
        self.ticks = _log_ticks(low, high) if log else _ticks(0.0 if zero else low, high)
        self.low, self.high = min(low, self.ticks[0]) if log or zero else low, max(high, self.ticks[-1])
        if log:
            self.floor = min(self.floor, self.low)
        if not log and not zero:
            self.ticks = [t for t in self.ticks if t >= low]
        if self.low == self.high:
            self.low, self.high = self.low * 0.9 - (not log), self.high * 1.1 + (not log)

    def __call__(self, value: float) -> float:
        low, high = self.low, self.high
        if self.log:
            value, low, high = math.log(max(value, self.floor)), math.log(low), math.log(high)
        return round(self.start + (value - low) / (high - low) * (self.end - self.start), 1)


def _ticks(low: float, high: float) -> list[float]:
    """Return about five round numbers from `low` to beyond `high`."""
    span = (high - low) or abs(high) or 1.0
    step = 10 ** math.floor(math.log10(span / 4))
    step *= next(factor for factor in (1, 2, 2.5, 5, 10) if span / (step * factor) <= 5)
    first, last = math.floor(low / step), math.ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """Return powers of ten around the values, and for a small range 2 and 5 times them too."""
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    if last - first > 3:
        stride = -(-(last - first) // 6)
        return [10.0**e for e in range(first, last + stride, stride)]
    wide = [m * 10.0**e for e in range(first, last + 1) for m in (1, 2, 5)]
    inner = [t for t in wide if low * 0.999 <= t <= high * 1.001]
    below = [t for t in wide if t < low * 0.999][-1:]
    above = [t for t in wide if t > high * 1.001][:1]
    return below + inner + above


def _frame(across: _Scale, up: _Scale, x: Axis, y: Axis) -> str:
    bottom, parts = HEIGHT - BOTTOM, []
    for tick in up.ticks:
        at = up(tick)
        parts.append(f'<path class="grid" d="M{LEFT} {at}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 7}" y="{at + 4}" text-anchor="end">{short(tick)}</text>')
    for tick in across.ticks:
        if across.low <= tick <= across.high:
            parts.append(f'<text x="{across(tick)}" y="{bottom + 17}" text-anchor="middle">{short(tick)}</text>')
    parts.append(f'<path class="axis" d="M{LEFT} {bottom}H{WIDTH - RIGHT}"/>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text class="name" x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x.label)}</text>')
    centre = (TOP + bottom) / 2
    place = f'x="12" y="{centre}" transform="rotate(-90 12 {centre})"'
    parts.append(f'<text class="name" {place} text-anchor="middle">{escape(y.label)}</text>')
    return "".join(parts)


def shades_of(series: Sequence[Series]) -> dict[str, str]:
    """Return the CSS classes of each label: its family's, and a shade by its place among the family's labels."""
    classes, used = {}, Counter()
    for s in series:
        if s.label not in classes:
            classes[s.label] = f"s-{s.family} shade-{used[s.family] % SHADES}"
            used[s.family] += 1
    return classes


def _series(series: Series, classes: str, across: _Scale, up: _Scale) -> str:
    points = [(across(a), up(b)) for a, b in zip(series.x, series.y, strict=True)]
    parts = []
    if len(points) > 1:
        path = "M" + "L".join(f"{a} {b}" for a, b in points)
        parts.append(f'<path class="line{" dashed" if series.dashed else ""}" d="{path}"/>')
    for (a, _), (low, high) in zip(points, series.spread, strict=False):
        parts.append(f'<path class="spread" d="M{a} {up(low)}V{up(high)}"/>')
    if len(points) <= 12:
        for (a, b), x, y in zip(points, series.x, series.y, strict=True):
            marker = MARKERS.get(series.family, MARKERS["ram"]).format(x=a, y=b)
            title = f"<title>{escape(series.label)}: {short(x)}, {short(y)}</title>"
            parts.append(f'<g class="marker">{title}{marker}</g>')
    return f'<g class="{escape(classes)}">{"".join(parts)}</g>'


def _legend(series: Sequence[Series], shades: Mapping[str, str]) -> str:
    items, seen = [], set()
    for s in series:
        if s.label in seen:
            continue
        seen.add(s.label)
        line = f'<path class="line{" dashed" if s.dashed else ""}" d="M1 8H27"/>' if len(s.x) > 1 else ""
        marker = MARKERS.get(s.family, MARKERS["ram"]).format(x=14, y=8)
        mark = f'<g class="{escape(shades[s.label])}">{line}<g class="marker">{marker}</g></g>'
        items.append(f'<li><svg viewBox="0 0 28 16" aria-hidden="true">{mark}</svg>{escape(s.label)}</li>')
    return f'<figcaption><ul class="legend">{"".join(items)}</ul></figcaption>'
