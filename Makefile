# 全书的命令。直接运行 make（或 make help）列出全部。
# 路径都是相对的，配方里不出现绝对路径，所以仓库可以放在带空格的文件夹里。

PYTHON ?= python3
CONSTRAINTS ?= constraints.txt
PIP_ARGS ?=
TORCH_ARGS ?=
PORT ?= 8888
JOBS ?= 2

BIN := .venv/bin
RUN := $(BIN)/python
# -I 不让当前文件夹里的同名模块混进 pip。
PIP := $(RUN) -I -m pip --disable-pip-version-check install $(if $(CONSTRAINTS),-c $(CONSTRAINTS))
JUPYTER_BOOK := $(RUN) -c 'from jupyter_book.cli.main import main; main()'

# 装好一组依赖就留一个标记文件；依赖清单没有变，就不再安装。
BOOK_READY := .venv/book.installed
BROWSER_READY := .venv/browser.installed
TEST_READY := .venv/test.installed
NOTEBOOK_READY := .venv/notebook.installed

# OFFLINE=1：没有网络的 CUDA 机器。用系统的 Python 与 .offline/ 里的包，不建 .venv
# （见 docs/gpu.md）。
OFFLINE ?=
ENGINE := $(if $(OFFLINE),$(PYTHON),$(RUN))
ENGINE_READY := $(if $(OFFLINE),.offline/installed,$(TEST_READY))
ifneq ($(OFFLINE),)
export PYTHONPATH := $(CURDIR)/.offline/site:$(CURDIR)
export JUPYTER_PATH := $(CURDIR)/.offline/kernel/share/jupyter
export DEEPCNN_DATA ?= $(CURDIR)/.offline/data
endif

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help bench book compare test lint pack record models figures numbers notebook repository links clean formulas pdf site.zip site-report

help: ## 列出全部命令（默认）
	@echo '用法：make 命令 [变量=值]'
	@echo
	@awk -F ':.*## ' '/^[a-z.-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile
	@echo
	@echo '变量：'
	@echo '  PYTHON=python3.12            用哪个 Python 建立 .venv（3.10 或更高）'
	@echo '  PIP_ARGS="--index-url 地址"  从就近的镜像安装'
	@echo '  TORCH_ARGS="--index-url 地址"  单独指定 PyTorch 的来源，例如较小的 CPU 版'
	@echo '  CONSTRAINTS=                 不用 constraints.txt 里的确切版本'
	@echo '  DEEPCNN_PROFILE=quick|laptop|gpu  训练档位（make record）'
	@echo '  DEEPCNN_DATA=文件夹          Fashion-MNIST 放在哪里'
	@echo '  JOBS=1                       make test 同时用几个进程（默认 2，平分处理器的核）'
	@echo '  OFFLINE=1                    没有网络的 CUDA 机器（见 docs/gpu.md）'

$(RUN):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || \
	  { echo '需要 Python 3.10 或更高版本，而「$(PYTHON)」不是：请安装后运行 make $(MAKECMDGOALS) PYTHON=新的 python 命令' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo '「$(PYTHON)」缺少 venv 模块：请先安装它（Debian、Ubuntu 上是软件包 python3-venv），再运行一次' >&2; exit 1; }
	$(PYTHON) -m venv .venv

$(BOOK_READY): requirements-book.txt $(CONSTRAINTS) | $(RUN)
	$(PIP) $(PIP_ARGS) -r requirements-book.txt
	@touch $@

$(BROWSER_READY): requirements-browser.txt $(CONSTRAINTS) $(BOOK_READY)
	$(PIP) $(PIP_ARGS) -r requirements-browser.txt
	@touch $@

# d2l 1.0.3 的元数据要求旧版 NumPy（1.23.5），因此不带它的依赖单独安装。
$(TEST_READY): requirements.txt requirements-d2l.txt pyproject.toml $(CONSTRAINTS) $(BROWSER_READY)
	$(if $(TORCH_ARGS),$(PIP) $(TORCH_ARGS) torch torchvision)
	$(PIP) $(PIP_ARGS) -r requirements.txt
	$(PIP) $(PIP_ARGS) --no-deps -r requirements-d2l.txt
	$(PIP) $(PIP_ARGS) --no-deps --editable .
	@touch $@

$(NOTEBOOK_READY): requirements-notebook.txt $(TEST_READY)
	$(PIP) $(PIP_ARGS) -r requirements-notebook.txt
	@touch $@

# 只改了正文（chapters/）时增量构建，别的一变就从头来。有警告的构建算失败，不留标记，
# 下一次也从头来：所以没有改动的页面里不会藏着没有报告的警告。FULL=1 强制从头构建。
BUILT := _build/complete
FULL ?=
BOOK_SETTINGS := Makefile _config.yml _toc.yml references.bib terms results img \
  site deepcnn/records CHANGELOG.md $(BOOK_READY)

book: $(BOOK_READY) ## 构建网站 _build/html（只排版，不需要 PyTorch）
	@if [ -n "$(FULL)" ] || [ ! -e $(BUILT) ] || \
	  [ -n "$$(find $(BOOK_SETTINGS) -newer $(BUILT) ! -name __pycache__ ! -name '*.pyc' | head -n 1)" ]; \
	  then rm -rf _build; fi
	@rm -f $(BUILT); mkdir -p _build; touch _build/started
	$(JUPYTER_BOOK) build -q -n -W --keep-going .
	@test -s _build/html/index.html || \
	  { echo '构建没有产生 _build/html/index.html：请看上面的输出' >&2; exit 1; }
	@mv _build/started $(BUILT)  # 时间是开始构建的时间：构建途中的改动下次才算
	@echo '书已建好，请用浏览器打开：_build/html/index.html'

test: export DEEPCNN_PROFILE = quick
# 进度条写到标准错误，逐格比较输出时不要它。
test: export DEEPCNN_PROGRESS = 0
# 让 glibc 向内核要大页：训练时频繁申请几十 MB 的张量，缺页少了，AlexNet 与 VGG 快一些。
# 要 glibc 2.35、内核允许 madvise；别的系统不认识它，不受影响。
test: export GLIBC_TUNABLES ?= glibc.malloc.hugetlb=1
# 两个进程平分处理器的核：小批量上，一个核训练一个网络比两个核合训一个快得多。
# 费时的笔记本排在前面，两个进程差不多同时结束。
test: book $(TEST_READY) ## 单元测试、逐格重跑全部笔记本（quick 档）、检查网站
	$(RUN) tools/book/export_models.py --check
	$(RUN) -m ruff check .
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-$$($(RUN) -c 'import os; print(max(1, os.cpu_count() // $(JOBS)))')} \
	  $(RUN) -m pytest -n $(JOBS) --dist loadscope --no-loadscope-reorder \
	  --nbval --nbval-current-env --nbval-cell-timeout=300 chapters tests

lint: $(TEST_READY) ## 只检查代码风格与用语
	$(RUN) -m ruff check .
	$(RUN) tools/book/lint_terms.py

# 系统里已有 PyTorch，只补上它没有的包；Jupyter 的内核要另外登记。
.offline/installed: $(wildcard .offline/wheels/*.whl)
	@ls .offline/wheels/*.whl >/dev/null 2>&1 || \
	  { echo '没有 .offline/wheels：请先在有网络的机器上准备，见 docs/gpu.md' >&2; exit 1; }
	$(PYTHON) -m pip --disable-pip-version-check install -q --no-index --no-deps --no-compile \
	  --upgrade --target .offline/site .offline/wheels/*.whl
	$(PYTHON) -m ipykernel install --prefix .offline/kernel --name python3
	@touch $@

bench: $(ENGINE_READY) ## 比较 d2l 的训练循环与本书的，写出 results/bench-设备.json
	$(ENGINE) tools/measure/bench.py $(ARGS)

compare: $(ENGINE_READY) ## 同一预算、三个种子训练六个网络，写出 results/comparison/
	$(ENGINE) tools/measure/compare.py $(ARGS)

pack: ## 把录制好的笔记本与 results/ 打成一个压缩包
	$(if $(OFFLINE),$(PYTHON),$(if $(wildcard $(RUN)),$(RUN),$(PYTHON))) tools/book/pack_record.py $(ARGS)

record: $(ENGINE_READY) ## 用本机最好的档位重新训练各章，存下输出与 results/
	$(ENGINE) tools/book/record.py $(ARGS)

models: $(TEST_READY) ## 从各章的 export 单元生成 deepcnn/models/
	$(RUN) tools/book/export_models.py

figures: $(TEST_READY) ## 由网络的配置重画 img/ 里的图，嵌进笔记本（改了图时需要 Chromium）
	$(RUN) tools/figures/draw.py
	$(RUN) tools/figures/embed.py

numbers: book $(TEST_READY) ## 补齐各页里图、表、公式的编号，书内的链接、引文与文献表
	$(RUN) tools/book/fill_plain.py

site.zip: book ## 把网站装进 dist/site.zip，解压后离线阅读
	$(RUN) tools/site/pack_zip.py

pdf: book $(BROWSER_READY) ## 把全书印成 dist/book.pdf（需要 Chromium）
	$(RUN) tools/site/make_pdf.py

site-report: book $(BROWSER_READY) ## 量每一页要传多少字节、多久显示出来（需要 Chromium）
	$(RUN) tools/site/measure_pages.py $(ARGS)

formulas: FULL := 1
formulas: book ## 公式有改动后，重新排成 SVG（需要 Chromium）
	$(RUN) tools/site/typeset_formulas.py

notebook: $(NOTEBOOK_READY) ## 在同一环境里打开 JupyterLab
	$(RUN) -m jupyterlab --port $(PORT) chapters

repository: $(BOOK_READY) ## 记下公开的仓库：URL=https://github.com/用户名/仓库名（空的表示清除）
	@$(RUN) tools/book/repository.py $(if $(findstring command,$(origin URL)),'$(URL)')

links: $(BOOK_READY) ## 检查书里的外部链接（需要网络，不在 make test 里）
	@$(RUN) tools/site/check_links.py

clean: ## 删除生成的文件（保留 .venv 与数据）
	rm -rf _build dist .pytest_cache .ruff_cache build *.egg-info
	find . -path ./.venv -prune -o \( -name __pycache__ -o -name .ipynb_checkpoints \) -type d -exec rm -rf {} +
