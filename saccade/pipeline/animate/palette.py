"""The colours of every picture: dark ink on a warm off-white, one orange for the gaze and one blue for the belief.

Orange and blue stay apart in every common colour blindness, and no meaning rests on colour alone: right and wrong
carry a mark and a word, the truth a frame.
"""

Colour = tuple[int, int, int]

GROUND: Colour = (250, 248, 244)
INK: Colour = (34, 37, 42)
QUIET: Colour = (102, 107, 116)  # captions; 5 : 1 on the ground
FAINT: Colour = (236, 232, 225)  # tracks of bars, what is yet to come
STAGE: Colour = (38, 42, 48)  # behind an image: darker than the page, lighter than an image's black
BELIEF: Colour = (31, 95, 168)
OTHER_BELIEF: Colour = (165, 187, 214)
GAZE: Colour = (232, 89, 12)
DISTANT_GAZE: Colour = (255, 214, 165)
WHITE: Colour = (255, 255, 255)
RIGHT: Colour = (21, 115, 85)
WRONG: Colour = (176, 38, 30)


def mix(first: Colour, second: Colour, amount: float) -> Colour:
    """Return the colour at `amount` in [0, 1] of the way from the first to the second."""
    r, g, b = (round(x + (y - x) * amount) for x, y in zip(first, second, strict=True))
    return r, g, b


def gaze_shade(index: int, count: int) -> Colour:
    """Return the shade of one of `count` nested windows: the finest, 0, is the strongest."""
    return mix(GAZE, DISTANT_GAZE, index / max(3, count - 1))


def tint(colour: Colour) -> tuple[float, float, float]:
    """Convert a colour to matplotlib's form, in [0, 1]."""
    red, green, blue = colour
    return red / 255, green / 255, blue / 255
