"""训练断点：录制中断后重来，从上一轮接着做，已完成的种子不必重训。

断点的名字由网络的内容（起始权重与代码）、配方、数据的内容、种子、训练的代码和库的版本
共同决定：其中任何一样变了，旧断点就不再匹配，网络会重新训练。
"""

import ast
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import torch
from torch import nn

from deepcnn.data.dataset import Dataset
from deepcnn.records.provenance import library_versions
from deepcnn.training.fingerprint import contents_of, tensor_text
from deepcnn.training.hardware import resolve_precision
from deepcnn.training.memory_errors import is_out_of_memory
from deepcnn.training.recipe import Recipe

# 训练途中真正执行的代码：这些文件变了，结果就可能不同。
HERE = Path(__file__).parent
TRAINING_CODE = (
    HERE.parent / 'data' / 'batches.py',
    *(HERE / f'{name}.py' for name in (
        'cpu_speedups', 'evaluation', 'hardware', 'loop', 'optimization',
    )),
)  # fmt: skip


@dataclass(frozen=True)
class Checkpoint:
    """一次训练的断点文件。"""

    path: Path

    def load(self) -> dict | None:
        """读回 ``save`` 存下的状态，张量在 CPU 上；没有这个断点时返回 None。

        读不了的断点（没有写完、被改动）说一行，当作没有。盘一时读不了、内存不够时抛出
        OSError：断点多半是好的，从头训练会把它盖掉。
        """
        if not self.path.exists():
            return None
        try:
            with ZipFile(self.path) as archive:  # torch.load 不核对各部分的校验和
                if damaged := archive.testzip():
                    raise BadZipFile(damaged)
            return torch.load(self.path, map_location='cpu', weights_only=True)
        except Exception as error:  # 两者的异常没有共同的类
            short = isinstance(error, RuntimeError) and is_out_of_memory(error)
            if short or isinstance(error, OSError | MemoryError):
                raise OSError(
                    f'断点 {self.path.name} 这一次读不了（{error}）：文件没有动，'
                    '请腾出内存或等一会儿，再运行一次'
                ) from error
            print(f'断点 {self.path.name} 读不了（{type(error).__name__}），从头训练')
            return None

    def save(self, state: dict) -> None:
        """先写临时文件再改名：中断时不会留下半个断点。

        临时文件总是同一个：进程被杀死时留下的，下一次存盘会覆盖它。
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix('.part')
        try:
            torch.save(state, partial)
            os.replace(partial, self.path)
        finally:
            partial.unlink(missing_ok=True)


def checkpoint_for(
    folder: Path,
    net: nn.Module,
    data: Dataset,
    recipe: Recipe,
    seed: int,
    device: torch.device,
) -> Checkpoint:
    """这次训练在 ``folder`` 里的断点；``net`` 必须还是起始权重。"""
    facts = recipe.to_dict() | {
        'seeds': seed,
        'precision': resolve_precision(recipe, device),
        'dataset': data.name,
        'statistics': [data.mean, data.std],
        'device': device.type,
        'versions': library_versions(),
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for part in (data.train, data.test):
        digest.update(f'{tensor_text(part.images)} {tensor_text(part.labels)}'.encode())
    digest.update(contents_of(net).encode())
    for path in TRAINING_CODE:
        digest.update(syntax_of(path.read_text(encoding='utf-8')).encode())
    name = getattr(net, 'name', type(net).__name__)
    return Checkpoint(folder / f'{name}-{seed}-{digest.hexdigest()[:16]}.pt')


def syntax_of(source: str) -> str:
    """返回语法树的文本：改注释、文档字符串或排版不会让断点失效。"""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, 'body', None)
        if isinstance(body, list) and body and is_docstring(body[0]):
            body[0].value.value = ''
    return ast.dump(tree)


def is_docstring(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
