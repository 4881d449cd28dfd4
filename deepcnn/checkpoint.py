"""训练断点：``make record`` 中断后重来，不必重训已完成的种子。

断点的名字由起始权重、配方、数据、种子和训练代码本身共同决定：其中任何一样变了，
旧断点就不再匹配，网络会重新训练。
"""

import ast
import hashlib
import inspect
import json
import os
from pathlib import Path
from types import ModuleType

import torch
from torch import nn

from deepcnn import batches as batches_module
from deepcnn import cpu_speedups as cpu_speedups_module
from deepcnn.data import Dataset
from deepcnn.history import RESULTS, Run
from deepcnn.recipe import Recipe

FOLDER = RESULTS.parent / '.runs'


def recording() -> bool:
    """由 ``make record`` 执行时为真。"""
    return os.environ.get('DEEPCNN_RECORD') == '1'


def path_of(
    net: nn.Module, data: Dataset, recipe: Recipe, seed: int, device: torch.device
) -> Path:
    """返回这次训练的断点路径；``net`` 必须还是起始权重。"""
    from deepcnn import train as train_module

    digest = hashlib.sha256()
    facts = recipe.to_dict() | {
        'seeds': seed,
        'dataset': data.name,
        'device': device.type,
        'torch': torch.__version__,
    }
    digest.update(json.dumps(facts, sort_keys=True).encode())
    digest.update(str(net).encode())
    for tensor in net.state_dict().values():
        digest.update(tensor.detach().cpu().numpy().tobytes())
    for module in (batches_module, cpu_speedups_module, train_module):
        digest.update(code_without_comments(module).encode())
    name = getattr(net, 'name', type(net).__name__)
    return FOLDER / f'{name}-{seed}-{digest.hexdigest()[:16]}.pt'


def code_without_comments(module: ModuleType) -> str:
    """返回模块的语法树文本：改注释、文档字符串或排版不会让断点失效。"""
    tree = ast.parse(inspect.getsource(module))
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


def load(path: Path, net: nn.Module, device: torch.device) -> Run | None:
    """读回权重到 ``net`` 并返回记录；没有这个断点时返回 None。"""
    if not path.exists():
        return None
    saved = torch.load(path, map_location=device)
    net.load_state_dict(saved['weights'])
    net.to(device)
    return Run(**saved['run'])


def save(path: Path, net: nn.Module, run: Run) -> None:
    """先写临时文件再改名：中断时不会留下半个断点。"""
    path.parent.mkdir(exist_ok=True)
    partial = path.with_suffix('.part')
    torch.save({'weights': net.state_dict(), 'run': vars(run)}, partial)
    os.replace(partial, path)
