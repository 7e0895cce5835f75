# From a fresh checkout: `make demo` shows what Saccade does, `make test` checks it. Both install into .venv first.
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --constraint constraints.txt
DEMO := runs/demo
DRAWING := runs/demo-draw

.PHONY: demo test docs slow bench fuzz soak audit clean

# Train the Recurrent Attention Model on the embedded digits, measure it, and draw its gaze; then a small DRAW that is
# told which digit to write.
demo: .venv/installed
	$(BIN)/saccade glimpse train --epochs 150 --batch-size 128 --shift 1 --optimizer muon --threads 1 --out $(DEMO)
	$(BIN)/saccade glimpse eval $(DEMO)
	$(BIN)/saccade glimpse gif $(DEMO) --index 7 --strip $(DEMO)/gaze-7.png
	$(BIN)/saccade glimpse gif $(DEMO) --count 25 --out $(DEMO)/wall.gif
	$(BIN)/saccade draw train --labelled --hidden 128 --latent 32 --epochs 25 --batch-size 32 --binarise dynamic --threads 1 --out $(DRAWING)
	$(BIN)/saccade draw eval $(DRAWING)
	$(BIN)/saccade draw generate $(DRAWING) --text 0123456789 --seed 1 --out $(DRAWING)/digits.png --gif $(DRAWING)/digits.gif
	$(BIN)/saccade draw gif $(DRAWING) --reconstruct --index 7 --strip $(DRAWING)/redrawing-7.png
	@echo
	@echo "The demo wrote into $(DEMO), by the network that reads:"
	@echo "  metrics.json                 its error on 400 digits that it never saw, and what other gazes would give"
	@echo "  gaze-7.gif, gaze-7.png       the gaze over one digit, as a film and as a strip"
	@echo "  wall.gif                     the gaze over 25 digits at once"
	@echo "  checkpoint-*.safetensors     the trained network (with run.json and log.jsonl)"
	@echo "and into $(DRAWING), by the network that writes:"
	@echo "  metrics.json                 its bound on -log p of 400 digits that it never saw, nats an image, with its parts"
	@echo "  digits.gif, digits.png       0 to 9, each written from noise and the name of its class, and the last frame"
	@echo "  redrawing-7.gif, .png        a digit redrawn: what it reads of the image, beside what it writes"
	@echo "Next: $(BIN)/saccade glimpse read YOUR_DIGIT.png, or $(BIN)/saccade glimpse train --dataset mnist --out runs/ram"

test: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python saccade saccade/*/ tests  # pyright enters a linked folder only if it is named
	$(BIN)/pytest -n 2

# The manual as a site in site/, its links checked; open site/index.html.
docs: .venv/installed-test
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Tests that take minutes.
slow: .venv/installed-test
	$(BIN)/pytest -m slow

# Tests that measure time; they want a quiet machine.
bench: .venv/installed-test
	$(BIN)/pytest -m bench -s

# Search each reader of strangers' files for inputs that break it; `make fuzz FUZZ_SECONDS=60` for a short one.
FUZZ_SECONDS ?= 3600
fuzz: .venv/installed-test
	$(PIP) --editable ".[fuzz]"
	for reader in idx config run_json checkpoint image; do \
		$(BIN)/python tests/fuzz/fuzz.py $$reader $(FUZZ_SECONDS) || exit 1; \
	done

# An hour of training of each system, its memory sampled.
soak: .venv/installed-test
	SACCADE_SOAK_MINUTES=60 $(BIN)/pytest -s -m slow tests/faults/test_soak.py

# Known faults of all that is installed, asked of PyPI's advisory service; one that cannot be asked about fails too.
audit: .venv/installed-test
	$(PIP) --editable ".[audit]"
	$(BIN)/python -m pip freeze --exclude-editable > .venv/frozen.txt
	$(BIN)/pip-audit --strict --requirement .venv/frozen.txt --disable-pip --no-deps

clean:
	rm -rf .venv build dist site *.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache

.venv/installed: .venv/bin/python pyproject.toml constraints.txt
	@echo "Installing into .venv: PyTorch is the large one, a few minutes the first time."
	$(PIP) --editable .
	@touch $@

.venv/installed-test: .venv/installed
	$(PIP) --editable ".[test]"
	@touch $@

# The first of these that is there, runs, and is new enough; `make PYTHON=...` chooses another.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$name -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; \
	done)

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "expected Python 3.11 or newer with venv, found none; install it" >&2; exit 1; }
	$(PYTHON) -m venv .venv
