"""矩阵乘法的 WebAssembly：由 site/living_kernel/product.wat 写出 site/assets/living/kernel.js。

用法：python tools/living/build_kernel.py。要 wabt 的 wat2wasm（Debian 的 wabt，或 npm 的同名
包）；网站与测试只用写好的 kernel.js，不需要它。
"""

import base64
import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tools'))

from command_line import Command, run  # noqa: E402

SOURCE = ROOT / 'site' / 'living_kernel' / 'product.wat'
SCRIPT = ROOT / 'site' / 'assets' / 'living' / 'kernel.js'
COMPILER = 'wat2wasm'

TEMPLATE = """\
/* 由 tools/living/build_kernel.py 写出，不要手改。源文件 site/living_kernel/product.wat，
 * SHA-256 {digest} */
Living.kernel = '{code}'
"""


def compiled() -> bytes:
    """``SOURCE`` 的 WebAssembly；没有编译器或写错了时抛出 SystemExit，一行中文。"""
    compiler = shutil.which(COMPILER)
    if compiler is None:
        raise SystemExit(f'没有 {COMPILER}：Debian 上请安装 wabt')
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / 'product.wasm'
        command = [compiler, str(SOURCE), '-o', str(target)]
        done = subprocess.run(command, capture_output=True, encoding='utf-8')
        if done.returncode:
            raise SystemExit(f'{SOURCE.name} 编译不了：{done.stderr.strip()}')
        return target.read_bytes()


def script(code: bytes) -> str:
    """kernel.js 的内容；源文件的摘要写在里面，改了源而没有重编会被测试发现。"""
    digest = hashlib.sha256(SOURCE.read_bytes()).hexdigest()
    return TEMPLATE.format(digest=digest, code=base64.b64encode(code).decode('ascii'))


def main(arguments: list[str]) -> int:
    Command(__doc__).parse_args(arguments)
    code = compiled()
    SCRIPT.write_text(script(code), encoding='utf-8', newline='\n')
    print(f'{SCRIPT.relative_to(ROOT)}：WebAssembly {len(code)} 字节')
    return 0


if __name__ == '__main__':
    run(main)
