# Two commands do everything: `make lessons`, `make test`. `make help` lists the rest.
.DEFAULT_GOAL := help
.PHONY: help setup lessons lesson lab test test-fast test-versions test-backends test-gpu refresh exercises doctor bench bench-all clean

PYTHON ?= python3
VENV ?= .venv
REQUIREMENTS ?= -r requirements.txt
READY := $(VENV)/.ready
RUN := $(VENV)/bin/python -m
# Stored outputs are of the synthetic scenes at the smallest scale; so are the tests that compare them.
STORED := COURSE_DATA=synthetic COURSE_SCALE=smoke COURSE_PROGRESS=0
# Last lesson first: 00 to 02 take seconds, so at the end of a run neither core waits long for the other.
LESSONS := $(shell ls -r notebooks/[0-9]*.ipynb)
# In the order given (tests/conftest.py puts the longest modules first): by number of tests, the few that take minutes would come last, on one core.
PYTEST := $(STORED) $(RUN) pytest -n 2 --dist loadscope --no-loadscope-reorder
NBVAL := --nbval --nbval-current-env --nbval-cell-timeout=600
BACKENDS ?= jax torch
# What the page's tables show, with the data and the options that they show it of.
SCENES := "difficulty 0 1" classical patches fcn upsampling "unet --epochs 6" imbalance crf deeplab transfer deploy \
	"deploy --speed" showdown "showdown --epochs 6" "grading --submissions 3"
PHOTOGRAPHS := accuracy recipe
PHOTOGRAPHS_SMALL := classical transfer

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 24

setup: $(READY) ## create .venv and install what the course needs
$(READY): requirements.txt pyproject.toml
	@found=$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || found="not there"; \
	case $$found in 3.11|3.12|3.13) ;; *) \
	echo "Python 3.11, 3.12 or 3.13 is needed, for TensorFlow; $(PYTHON) is $$found. If you have one: make PYTHON=/path/to/python3.13 $(MAKECMDGOALS)"; exit 1;; esac; \
	$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "$(PYTHON) comes without its venv module (on Debian: apt install python3-venv)."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(RUN) pip install --quiet --disable-pip-version-check $(REQUIREMENTS) -e '.[dev,grading]'
	@touch $@

lessons: $(READY) ## run every lesson, write build/lessons/index.html
	@$(RUN) course lessons

lesson: $(READY) ## run one lesson: make lesson N=06
	@$(RUN) course lessons $(N)

lab: $(READY) ## open the lessons in JupyterLab
	$(VENV)/bin/jupyter lab notebooks

test: $(READY) ## everything: unit tests, notebook form, every lesson under nbval
	$(PYTEST) $(NBVAL) --ignore=tests/attacks tests notebooks/solutions $(LESSONS)

test-fast: $(READY) ## the unit tests that take seconds
	$(PYTEST) -m "not slow and not kernels" tests

test-versions: $(READY) ## on the oldest and newest packages allowed, each Python found [PYTHONS=python3.12]
	$(VENV)/bin/python tests/versions.py $(PYTHONS)

# PyTorch's threads wait for each other actively: with two workers on two cores, ten times as long.
test-backends: $(READY) ## every lesson on JAX and PyTorch, the same outputs [BACKENDS=jax]
	@for backend in $(BACKENDS); do \
	  $(VENV)/bin/python -c "import $$backend" || { echo "To install it: $(VENV)/bin/pip install $$backend"; exit 1; }; \
	  echo "Keras on $$backend:"; \
	  OMP_NUM_THREADS=1 KERAS_BACKEND=$$backend $(PYTEST) $(NBVAL) $(LESSONS) || exit 1; \
	done

test-gpu: $(READY) ## every lesson on the accelerator found, at scales smoke and gpu, with time and mean IoU
	@$(RUN) benchmarks.lessons --accelerator --scale smoke gpu

refresh: $(READY) ## re-execute the lessons and store their outputs: make refresh [N=06]
	@$(STORED) $(RUN) course refresh $(N)

exercises: $(READY) ## for authors: write notebooks/exercises/ from notebooks/solutions/
	@$(RUN) course exercises

doctor: $(READY) ## check this machine and say how to mend it
	@$(RUN) course doctor

bench: $(READY) ## what the course costs: its pipeline, beside peers, lesson by lesson (20 minutes)
	@for what in input speed lessons page; do $(RUN) benchmarks.$$what || exit 1; done

bench-all: bench ## and what its networks reach, over seeds and beside peers (a day)
	@for what in $(SCENES); do $(STORED) $(RUN) benchmarks.$$what || exit 1; done
	@for what in $(PHOTOGRAPHS); do $(RUN) benchmarks.$$what || exit 1; done
	@$(RUN) course data | grep -q Synthetic || for what in $(PHOTOGRAPHS_SMALL); do COURSE_SCALE=smoke $(RUN) benchmarks.$$what || exit 1; done
	@$(RUN) benchmarks.page

clean: ## remove the environment, builds and caches; downloaded data stays
	rm -rf $(VENV) build data/.cache *.egg-info
