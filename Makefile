# What a person runs is what CI runs. Every target sets up .venv in this folder if it is not there.

BIN := .venv/bin
SETUP := deploy/setup
SHIPPED := tflite_models/artefacts/algebra/weights.safetensors

.PHONY: help demo test soak lint bench models weights docs clean

help:
	@echo "make demo    train a fleet of eight devices on this machine; the report goes to runs/demo/"
	@echo "make test    run the tests (installs Mosquitto and Chromium from Debian's packages if they are missing)"
	@echo "make soak    run the long tests: slow lines, long outages, a hundred devices for hundreds of rounds"
	@echo "make lint    ruff, mypy and the contracts between the folders"
	@echo "make bench   measure speed and memory, as ratios within one run"
	@echo "make models  build the model artefacts again (needs TensorFlow)"
	@echo "make weights train the weights that ship again, on generated handwriting alone"
	@echo "make docs    write the command-line reference again"
	@echo "make clean   remove .venv, caches and runs/"

demo: .venv/run.stamp
	$(BIN)/inkfleet simulate --broker embedded --page --out runs/demo --force

test: .venv/dev.stamp
	$(SETUP)/debian-packages.sh mosquitto chromium xvfb python3-tk libatomic1
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not soak"

# One test at a time: they measure memory, and each uses every core.
soak: .venv/dev.stamp
	$(SETUP)/debian-packages.sh mosquitto
	$(BIN)/python -m pytest -m soak --timeout 5400

lint: .venv/dev.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/dev.stamp
	$(SETUP)/debian-packages.sh mosquitto
	$(BIN)/python -m tests.benchmarks

models: .venv/dev.stamp
	for labels in arithmetic algebra all; do \
	  $(BIN)/inkfleet model build --labels $$labels --out tflite_models/artefacts/$$labels || exit 1; done

weights: .venv/run.stamp
	$(BIN)/inkfleet simulate --config deploy/weights/algebra.toml --out runs/weights --force
	cp runs/weights/weights.safetensors $(SHIPPED).new && mv $(SHIPPED).new $(SHIPPED)

docs: .venv/dev.stamp
	$(BIN)/python -m deploy.cli.reference > docs/reference/cli.md.new && mv docs/reference/cli.md.new docs/reference/cli.md

clean:
	rm -rf .venv runs build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

.venv/run.stamp: pyproject.toml constraints.txt
	$(SETUP)/venv.sh aggregator
	touch $@

.venv/dev.stamp: pyproject.toml constraints.txt
	$(SETUP)/venv.sh dev
	touch $@ .venv/run.stamp
