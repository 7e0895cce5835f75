"""The benchmark: networks with a few glimpses against networks that see the whole image, and a report page."""
