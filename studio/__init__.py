"""The studio: a page in the browser where every system shows what it does, live; and the same page as static files."""
