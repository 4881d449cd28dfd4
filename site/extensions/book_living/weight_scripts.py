"""随书的权重写成数据脚本：浏览器从磁盘也读得到，一份一份地到，看得出进度。

``living/data/weights.js`` 是目录，``living/data/weights-<网络>-<第几份>.js`` 是 safetensors 文件
的 base64，一份至多 768 KB：脚本没有进度，到了几份就是几份；断了也只重取没有到的。
"""

import base64
from pathlib import Path

import book_root  # noqa: F401

from deepcnn.records.titles import TITLES
from deepcnn.records.weight_facts import facts_in, read_weights, shipped

from .script_files import write_script

PART = 768 * 1024  # 字节；是 3 的倍数，各份的 base64 连起来仍是整个文件的


def write_weight_scripts(data: Path, folder: Path | None = None) -> dict[str, int]:
    """把 ``folder``（默认随书的）里各个网络写进文件夹 ``data``。

    返回 ``{'weights-<网络>': 权重文件的字节数}``。
    """
    data.mkdir(parents=True, exist_ok=True)
    for old in data.glob('weights*.js'):
        old.unlink()
    listed = {}
    for name in shipped(folder):
        content = read_weights(name, folder)
        parts = [content[at : at + PART] for at in range(0, len(content), PART)]
        for number, part in enumerate(parts):
            text = base64.b64encode(part).decode('ascii')
            write_script(data, f'weights-{name}-{number}', text)
        facts = facts_in(content)
        listed[name] = {
            'title': TITLES[name],
            'bytes': len(content),
            'parts': len(parts),
            'accuracy': facts.accuracy_after,
        }
    write_script(data, 'weights', listed)
    return {f'weights-{name}': entry['bytes'] for name, entry in listed.items()}
