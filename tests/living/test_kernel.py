"""矩阵乘法的 WebAssembly 与它的源文件是一对。"""

import base64
import re
import sys
from pathlib import Path

import pytest
from living import build_kernel
from living.build_kernel import SCRIPT, compiled, script


def committed() -> bytes:
    code = re.search(r"Living\.kernel = '(.+)'", SCRIPT.read_text(encoding='utf-8'))
    return base64.b64decode(code[1], validate=True)


def test_the_script_was_built_from_this_source() -> None:
    """不同的话，运行 python tools/living/build_kernel.py。"""
    assert SCRIPT.read_text(encoding='utf-8') == script(committed())


def test_the_kernel_is_small() -> None:
    assert committed().startswith(b'\0asm') and len(committed()) < 3_000


def test_the_source_compiles_to_the_same_bytes() -> None:
    assert compiled() == committed()


def test_a_broken_source_or_no_compiler_gets_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / 'product.wat'
    broken.write_text('(module\n  (func $f (reslt i32)))', encoding='utf-8')
    monkeypatch.setattr(build_kernel, 'SOURCE', broken)
    with pytest.raises(SystemExit, match='product.wat 编译不了') as stop:
        compiled()
    assert '\n' not in str(stop.value)
    monkeypatch.setitem(sys.modules, 'wasmtime', None)
    with pytest.raises(SystemExit, match='请运行 pip install wasmtime'):
        compiled()
