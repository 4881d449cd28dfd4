# 全书的命令。做事的是 book.py（Windows 上没有 make，直接运行它）；这里只把命令交给它。
# 路径都是相对的，所以仓库可以放在带空格的文件夹里。命令行上的变量由 make 传给它。

PYTHON ?= python3

# .venv 里的 Python 能用就用它（所用的系统 Python 卸载之后，它只是一个空链接）；
# OFFLINE=1 的机器用系统的。
OWN := $(if $(OFFLINE),,$(shell test -x .venv/bin/python && echo .venv/bin/python))
BOOK := $(if $(OWN),$(OWN),$(PYTHON)) book.py

COMMANDS := help book test notebook lint record compare bench pack models mutants \
  test-faults figures numbers formulas site.zip pdf site-report links clean

.DEFAULT_GOAL := help
.PHONY: $(COMMANDS) repository new-chapter

define python_found
@command -v $(firstword $(BOOK)) >/dev/null || \
  { echo '没有「$(PYTHON)」这个命令：请安装 Python 3.10 或更高版本，或加上 PYTHON=你的 python 命令' >&2; exit 1; }
endef

$(COMMANDS):
	$(python_found)
	@$(BOOK) $@

# URL 与 NAME 只认命令行上的：环境里的同名变量与本书无关。
given = $(if $(findstring command,$(origin $1)),'$1=$($1)')

repository:
	$(python_found)
	@$(BOOK) $@ $(call given,URL)

new-chapter:
	$(python_found)
	@$(BOOK) $@ $(call given,NAME)
