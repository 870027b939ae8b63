# Two commands: `make lab` opens the course, `make test` checks all of it. Both keep to .venv in this folder.
# Works with GNU make 3.81 (macOS). pip's own settings (PIP_INDEX_URL, pip.conf, ...) are left as they are.

VENV := .venv
BIN  := $(VENV)/bin
# Which Python makes .venv; empty: the first one found that is new enough.
PYTHON ?=
# cpu: torch without CUDA's libraries, where pip's index has it; cuda: with them; empty: asked if there is no GPU.
TORCH ?=
# Passed on to JupyterLab (make lab) or to pytest (make test).
ARGS ?=
# The notebooks ask for the kernel "python3"; inside .venv that name means this environment.
KERNEL = $(BIN)/python -m ipykernel install --sys-prefix --name python3 --display-name 'Python 3 (diffusion course)'

.DEFAULT_GOAL := help
.PHONY: help lab test quick colab newest build site clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile
	@echo 'Options: ARGS="..." goes to JupyterLab or pytest; PYTHON=/path/to/python makes .venv with that Python;'
	@echo '  TORCH=cpu takes torch without CUDA, where pip has it (a machine without a GPU is asked).'

lab: $(VENV)/.lab  ## open the course in JupyterLab
	@exec $(BIN)/diffusion-course lab $(ARGS)

# Several processes with a thread each: a chapter's small networks gain little from a second thread.
SIDE_BY_SIDE = --numprocesses auto --maxprocesses 4

# The browser runs by itself: a page is waited for. Status 5: ARGS selected none of these tests.
test: $(VENV)/.test  ## lint, types, unit tests, every solution under nbval
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -m 'not (notebook or browser)' $(SIDE_BY_SIDE) --dist loadfile $(ARGS)
	$(BIN)/python -m pytest -m 'notebook and not browser' $(SIDE_BY_SIDE) $(ARGS) || [ $$? = 5 ]
	$(BIN)/python -m pytest -m browser $(ARGS) || [ $$? = 5 ]

# What depends on the versions of Jupyter's parts: the chapters, and what a notebook shows.
CHAPTERS = $(<D)/bin/python -m pytest tests/test_solutions.py tests/notebook $(SIDE_BY_SIDE) $(ARGS)

quick:  ## the unit tests that take a minute; nothing is installed
	$(BIN)/python -m pytest -q -m 'not (notebook or browser or slow)' $(SIDE_BY_SIDE) --dist loadfile $(ARGS)

colab: .venv-colab/.made  ## every chapter with Colab's versions, in an environment of its own (PYTHON: Python 3.13, as there)
	$(CHAPTERS)

newest: .venv-newest/.made  ## every chapter with the newest of everything, in an environment of its own
	$(CHAPTERS)

build: $(VENV)/.lab  ## run the chapters and rewrite both editions; ARGS="03" for one chapter
	@exec $(BIN)/diffusion-course build $(ARGS)

site: $(VENV)/.site  ## the course as web pages without a kernel, in build/site; ARGS="03" for one chapter
	@exec $(BIN)/diffusion-course site $(ARGS)

clean:  ## remove .venv and what the tools leave behind
	rm -rf $(VENV) .venv-colab .venv-newest build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment does not survive being moved: forget the stamps of one that was made for another folder.
ifneq ($(shell cat $(VENV)/.where 2>/dev/null),$(CURDIR))
$(shell rm -f $(VENV)/.lab $(VENV)/.site $(VENV)/.test)
endif

# A stamp is written last, after pip has succeeded: an interrupted install is never taken for a whole one.
$(VENV)/.lab: pyproject.toml
	@sh tools/venv.sh $(VENV) '$(PYTHON)'
	@TORCH='$(TORCH)' $(BIN)/python tools/torch_build.py $(VENV)
	$(BIN)/python -m pip install -e '.[lab]'
	$(KERNEL)
	@touch $@

$(VENV)/.site: pyproject.toml
	@sh tools/venv.sh $(VENV) '$(PYTHON)'
	@TORCH='$(TORCH)' $(BIN)/python tools/torch_build.py $(VENV)
	$(BIN)/python -m pip install -e '.[lab,site]'
	$(KERNEL)
	@touch $(VENV)/.lab $@

$(VENV)/.test: pyproject.toml
	@sh tools/bubblewrap.sh
	@sh tools/venv.sh $(VENV) '$(PYTHON)'
	@TORCH='$(TORCH)' $(BIN)/python tools/torch_build.py $(VENV)
	$(BIN)/python -m pip install -e '.[lab,eval,site,test]'
	$(KERNEL)
	@touch $(VENV)/.lab $(VENV)/.site $@

PINS_colab  := -c tools/colab.txt
PINS_newest := --upgrade --upgrade-strategy eager

.venv-%/.made: pyproject.toml tools/colab.txt
	@sh tools/venv.sh $(@D) '$(PYTHON)'
	$(@D)/bin/python -m pip install $(PINS_$*) -e '.[lab]' pytest pytest-xdist hypothesis diffusers
	$(@D)/bin/python -m ipykernel install --sys-prefix --name python3
	@touch $@
