"""Facts of images for tests."""

from saccade.images.config import ImageFacts, Shape


def facts_of(shape: Shape, classes: tuple[str, ...] | None = None) -> ImageFacts:
    """Return the facts of images of that shape; the classes are named "0", "1", ... by default."""
    names = tuple(str(label) for label in range(shape.classes)) if classes is None else classes
    return ImageFacts(shape.channels, shape.height, shape.width, names)
