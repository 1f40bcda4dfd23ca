# Everything the course can be asked to do. `make` alone lists it.
# Targets that need the packages set up .venv first, once: install/bootstrap.py.

DEVICE ?=# cpu or gpu: the packages that .venv gets (naming the other one rebuilds it); without it, what the machine can use
WITH    =# horovod: make setup builds it, for chapter 17
CHAPTER =# one chapter, such as 08
FORMAT  =# of the book: html (as without it), pdf or epub
DATASET =# voc_mini, voc2012, camvid, or a folder in VOC layout
CROP    =# height x width, such as 160x224
SCALE   =# a factor for the size of the images
EPOCHS  =# a number of epochs
CAMVID  =# for make results: CamVid in VOC layout
PLATFORM =# for make wheelhouse: linux-x86_64, linux-x86_64-gpu, linux-aarch64, macos-x86_64, or several
WHEELHOUSE ?=# the folder of make wheelhouse, such as /media/stick/wheelhouse; WHEELHOUSE=none: install from the network
SUBMITTED =# for make grade: the folder that has a folder for each student
ROSTER  =# for make grade: a class list that Moodle or Canvas exported, to write the marks as it imports them
ARCHIVE =# for make data: a file brought along, in place of the download
TORCH_INDEX ?=# for make bench: the package index that has PyTorch, if it is not pip's own
ARGS    =# more words for the command: make lab ARGS=--no-browser, make lock ARGS=--upgrade, make bench ARGS=--quick

# What these variables hold reaches the commands through their environment, as "$$DATASET", and make never looks into it:
# so a name may have spaces, quotes, $ or ` in it, and is only a name. ARGS are words for the shell, on purpose.
NAMES = DEVICE WITH CHAPTER FORMAT DATASET CROP SCALE EPOCHS CAMVID PLATFORM WHEELHOUSE SUBMITTED ROSTER ARCHIVE TORCH_INDEX PYTHON
$(foreach name,$(NAMES),$(eval override $(name) := $$(value $(name))))
export $(NAMES)
option  = $${$(2):+--$(1)="$$$(2)"}
asked   = $(if $($(1)),"$$$(1)",$(error Which? $(2)))

ANY     = sh install/any_python.sh
READY   = @$(ANY) install/bootstrap.py --quiet
NOTEBOOKS = .venv/bin/python tools/notebooks.py
GRADING = .venv/bin/python tools/grading.py
UV_LOCK = $(ANY) install/bootstrap.py uv pip compile --universal --generate-hashes \
	--no-header --no-emit-index-url --no-annotate --no-python-downloads --quiet $(ARGS)
LOCKED  = pyproject.toml --extra course --extra test --python-version 3.10

.DEFAULT_GOAL := help
.PHONY: help course book slides test test-all test-book lab setup check refresh exercises release grade feedback data results bench wheelhouse clean distclean lock
.NOTPARALLEL:

help:
	@echo "make TARGET, where TARGET is one of"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' Makefile

course: ## run the chapters and make a book of them; CHAPTER=08 runs one; DATASET= CROP= SCALE= EPOCHS= change the data
	$(READY)
	@.venv/bin/python tools/book.py --execute $(call option,chapter,CHAPTER) $(call option,dataset,DATASET) \
		$(call option,crop,CROP) $(call option,scale,SCALE) $(call option,epochs,EPOCHS)

book: ## make the book, build/book/index.html, of the chapters as they are; FORMAT=pdf prints it, FORMAT=epub; CHAPTER=08
	$(READY)
	@.venv/bin/python tools/book.py $(call option,format,FORMAT) $(call option,chapter,CHAPTER)

slides: ## make slides of the chapters to teach with, build/slides/index.html; CHAPTER=08 makes one's (docs/teaching.md)
	$(READY)
	@.venv/bin/python tools/slides.py $(call option,chapter,CHAPTER)

lab: ## open JupyterLab on the index of chapters and exercises; ARGS="--no-browser --port=8890" elsewhere
	$(READY)
	@$(NOTEBOOKS) exercises > /dev/null || true # what it lacks, it says
	@JUPYTER_PREFER_ENV_PATH=1 JUPYTER_CONFIG_PATH="$$PWD/tools/jupyter$${JUPYTER_CONFIG_PATH:+:$$JUPYTER_CONFIG_PATH}" \
		.venv/bin/python -m jupyterlab --LabApp.default_url=/lab/tree/chapters/index.ipynb \
		--LabApp.workspaces_dir=build/lab $(if $(filter 0,$(shell id -u)),--allow-root) $(ARGS)

test: ## run the tests: lint, unit tests, the book, every chapter and solution; ARGS=chapters runs one part
	$(READY)
	@.venv/bin/python tools/run_tests.py $(ARGS)

test-all: ## everything in make test and what takes longer; what was tried and came out: build/test-all.txt
	$(READY)
	@.venv/bin/python tools/run_tests.py --all $(ARGS)

test-book: ## make the book and look at each page in Chromium (Debian: apt-get install chromium chromium-driver)
	$(READY)
	@COURSE_BROWSER=needed .venv/bin/python -m pytest -q -m "book or lab" tests $(ARGS)

check: ## look at this machine and at the set-up, change nothing, and say what to repair
	@$(ANY) install/doctor.py

setup: ## set up .venv (the targets above do so by themselves); PYTHON= the Python, DEVICE=cpu or gpu, WITH=horovod
	@$(ANY) install/bootstrap.py

exercises: ## write the exercises without their solutions to my_exercises/, where you solve them
	$(READY)
	@$(NOTEBOOKS) exercises $(call option,chapter,CHAPTER)

release: ## for teachers: pack the course for a class, exercises without solutions, in grading/release/ (docs/teaching.md)
	$(READY)
	@$(GRADING) release

grade: ## for teachers: grade SUBMITTED=FOLDER, which has a folder of notebooks for each student: marks in grading/grades.csv; ROSTER=
	$(READY)
	@$(GRADING) grade --submitted=$(call asked,SUBMITTED,make grade SUBMITTED=FOLDER) $(call option,roster,ROSTER) $(ARGS)

feedback: ## for teachers: write a page for each graded notebook to grading/feedback/, and zip them: a student's, and all for Moodle
	$(READY)
	@.venv/bin/python tools/feedback.py

data: ## fetch DATASET=voc2012 (2 GB) or camvid, where it is not there yet; ARCHIVE=FILE takes a file you bring
	$(READY)
	@.venv/bin/python -m utils.data.sources $(call asked,DATASET,make data DATASET=voc2012 or camvid) \
		$(call option,archive,ARCHIVE)

refresh: ## run the chapters and store their new outputs in chapters/; CHAPTER=08 does one
	$(READY)
	@$(NOTEBOOKS) refresh $(call option,chapter,CHAPTER)

results: ## make the tables in results/ that chapters load, where code, data or settings changed; CAMVID=FOLDER
	$(READY)
	@for table in fcn32s skips half_cell transfer decoders deeplab edges scribbles machines dice optimisation; do .venv/bin/python -m results.$$table.run $${CAMVID:+"$$CAMVID"} || exit 1; done

bench: ## measure the course against PyTorch and others; ARGS=--quick, or parts; TORCH_INDEX= (benchmarks/README.md)
	$(READY)
	@.venv/bin/python -m benchmarks.run $(ARGS)

wheelhouse: ## pack all that an install needs, for rooms without a network; PLATFORM= WHEELHOUSE=
	@WHEELHOUSE=none $(ANY) install/bootstrap.py --quiet
	@set -f; .venv/bin/python install/wheelhouse.py $$PLATFORM

lock: ## lock the packages anew (locks/README.md); ARGS=--upgrade takes newer ones
	@$(UV_LOCK) $(LOCKED) --extra cpu -o locks/cpu.txt
	@$(UV_LOCK) $(LOCKED) --extra gpu -o locks/gpu.txt --project locks/gpu -c locks/cpu.txt
	@echo uv | $(UV_LOCK) --no-config - -o locks/bootstrap.txt
	@printf 'horovod==0.28.1\ncmake<3.28\n' | $(UV_LOCK) --no-config --no-deps --python-version 3.10 - -o locks/horovod.txt

clean: ## remove build/ and caches; .venv stays
	rm -rf build .pytest_cache .ruff_cache .hypothesis
	@find . \( -name '.venv*' -o -name .bootstrap -o -name .git \) -prune -o -type d \
		\( -name __pycache__ -o -name .ipynb_checkpoints \) -exec rm -rf {} +
	@echo "To remove the set-up too (.venv, .venv-bench and .bootstrap): make distclean"

distclean: clean ## remove .venv, .venv-bench and .bootstrap too: the next target sets up anew
	rm -rf .venv .venv-bench .bootstrap *.egg-info
