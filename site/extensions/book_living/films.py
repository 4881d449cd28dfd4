"""训练的影片：``results/replay/<网络>.safetensors`` 与训练记录写成页面要的数据，只用标准库。

影片怎样拍下、各个键的意思，见 deepcnn/training/film.py。int8 的值原样交给页面。
"""

import json
import struct
from pathlib import Path
from typing import Any

from .script_files import packed

# safetensors 的类型 -> struct 的记号；int8 不拆开，整块压缩。
FORMATS = {'F32': 'f', 'F16': 'e', 'I64': 'q'}
CURVES = ('train_loss', 'train_accuracy', 'test_accuracy')


def read_tensors(path: Path) -> dict[str, tuple[list[int], bytes | list]]:
    """各张量的形状与内容：int8 是字节，其余是拉平的数。"""
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], 'little')
    header = json.loads(content[8:start])
    header.pop('__metadata__', None)
    tensors = {}
    for name, facts in header.items():
        first, last = (start + offset for offset in facts['data_offsets'])
        values: bytes | list = content[first:last]
        if facts['dtype'] != 'I8':
            kind = FORMATS[facts['dtype']]
            values = list(
                struct.unpack(
                    f'<{(last - first) // struct.calcsize(kind)}{kind}', values
                )
            )
        tensors[name] = facts['shape'], values
    return tensors


def replay(film: Path, record: Path) -> dict[str, Any]:
    """一次训练的影片与曲线；幕数与轮数对不上（不是同一次训练）时抛出 ValueError。"""
    tensors = read_tensors(film)
    run = json.loads(record.read_text('utf-8'))['runs'][0]
    shape, probabilities = tensors['probabilities']
    if shape[0] != len(run['train_loss']) + 1:
        raise ValueError(
            f'{film.name} 有 {shape[0]} 幕，记录有 {len(run["train_loss"])} 轮'
        )

    def quantized(name: str) -> dict[str, Any]:
        shape, values = tensors[name]
        return {'shape': shape, 'values': packed(values), 'scale': tensors[f'{name}.scale'][1]}

    places = [
        name
        for name in tensors
        if name.startswith('maps.') and f'{name}.channels' in tensors
    ]
    maps = [
        {
            'place': name.removeprefix('maps.'),
            'channels': tensors[f'{name}.channels'][1],
            **quantized(name),
        }
        for name in sorted(places, key=lambda one: -tensors[one][0][-1])
    ]
    classes = shape[1]
    return {
        'kernels': quantized('kernels'),
        'maps': maps,
        'probabilities': [
            probabilities[at : at + classes]
            for at in range(0, len(probabilities), classes)
        ],
        **{name: run[name] for name in CURVES},
    }
