"""训练断点：录制中断后重来，从上一轮接着做，已完成的种子不必重训。

断点的名字由起始权重、网络的代码、配方、数据的内容、种子和训练的代码共同决定：其中任何
一样变了，旧断点就不再匹配，网络会重新训练。
"""

import ast
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from deepcnn.data.dataset import Dataset
from deepcnn.training.fingerprint import code_of
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

    def load(self, device: torch.device) -> dict | None:
        """读回 ``save`` 存下的状态，张量放在 ``device``；没有这个断点时返回 None。

        断点由本机自己写成；读不了的（没有写完、被改动）当作没有。
        """
        if not self.path.exists():
            return None
        try:
            return torch.load(self.path, map_location=device, weights_only=True)
        except Exception as error:  # torch.load 的异常没有共同的类
            print(f'断点 {self.path.name} 读不了（{type(error).__name__}），从头训练')
            return None

    def save(self, state: dict) -> None:
        """先写临时文件再改名：中断时不会留下半个断点。"""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(f'.{os.getpid()}.part')
        torch.save(state, partial)
        os.replace(partial, self.path)


def checkpoint_for(
    folder: Path,
    net: nn.Module,
    data: Dataset,
    recipe: Recipe,
    seed: int,
    device: torch.device,
) -> Checkpoint:
    """这次训练在 ``folder`` 里的断点；``net`` 必须还是起始权重。"""
    digest = hashlib.sha256()
    facts = recipe.to_dict() | {
        'seeds': seed,
        'dataset': data.name,
        'statistics': [data.mean, data.std],
        'device': device.type,
        'torch': torch.__version__,
    }
    digest.update(json.dumps(facts, sort_keys=True).encode())
    for part in (data.train, data.test):
        for tensor in (part.images, part.labels):
            digest.update(tensor.cpu().contiguous().numpy())
    digest.update(code_of(net).encode())
    for name, tensor in net.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy())
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
