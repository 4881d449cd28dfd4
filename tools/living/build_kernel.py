"""矩阵乘法的 WebAssembly：由 site/living_kernel/product.wat 写出 site/assets/living/kernel.js。

用法：python tools/living/build_kernel.py。用 wasmtime（requirements.txt）把文字写成字节；
网站只用写好的 kernel.js，不需要它。
"""

import base64
import hashlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tools')]

from command_line import Command, run  # noqa: E402

from deepcnn.records.store import write_text  # noqa: E402

SOURCE = ROOT / 'site' / 'living_kernel' / 'product.wat'
SCRIPT = ROOT / 'site' / 'assets' / 'living' / 'kernel.js'
HEADER = 8  # 字节：四个是标记，四个是版本
CUSTOM = 0  # 自定义段的号码；wasmtime 把调试用的名字写在末尾的这一段里

TEMPLATE = """\
/* 由 tools/living/build_kernel.py 写出，不要手改。源文件 site/living_kernel/product.wat，
 * SHA-256 {digest} */
Living.kernel = '{code}'
"""


def compiled() -> bytes:
    """``SOURCE`` 的 WebAssembly；没有 wasmtime 或写错了时抛出 SystemExit，一行中文。"""
    try:
        from wasmtime import WasmtimeError, wat2wasm
    except ModuleNotFoundError:
        raise SystemExit('没有 wasmtime：请运行 pip install wasmtime') from None
    try:
        return without_names(bytes(wat2wasm(SOURCE.read_text(encoding='utf-8'))))
    except WasmtimeError as error:
        reason = ' '.join(str(error).split())
        raise SystemExit(f'{SOURCE.name} 编译不了：{reason}') from None


def without_names(code: bytes) -> bytes:
    """去掉第一个自定义段和它后面的；每段依次是号码、长度（LEB128）、内容。"""
    at = HEADER
    while at < len(code) and code[at] != CUSTOM:
        length = shift = 0
        more = True
        while more:
            at += 1
            length |= (code[at] & 0x7F) << shift
            shift, more = shift + 7, code[at] & 0x80
        at += 1 + length
    return code[:at]


def script(code: bytes) -> str:
    """kernel.js 的内容；源文件的摘要写在里面，改了源而没有重编会被测试发现。"""
    digest = hashlib.sha256(SOURCE.read_bytes()).hexdigest()
    return TEMPLATE.format(digest=digest, code=base64.b64encode(code).decode('ascii'))


def main(arguments: list[str]) -> int:
    Command(__doc__).parse_args(arguments)
    code = compiled()
    write_text(SCRIPT, script(code))
    print(f'{SCRIPT.relative_to(ROOT)}：WebAssembly {len(code)} 字节')
    return 0


if __name__ == '__main__':
    run(main)
