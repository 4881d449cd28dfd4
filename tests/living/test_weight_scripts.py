"""权重的数据脚本与 weights/ 逐字节相同。"""

import base64
import json
from pathlib import Path

from book_living.weight_scripts import PART, write_weight_scripts

from deepcnn.records.weight_facts import read_weights, shipped, weight_facts

SITE = Path(__file__).resolve().parents[2] / '_build' / 'html'


def value_of(path: Path) -> object:
    name, text = path.read_text(encoding='utf-8').split('(', 1)[1].split(', ', 1)
    assert json.loads(name) == path.stem
    return json.loads(text.rstrip().removesuffix(')'))


def test_parts_join_to_the_file_of_the_weights() -> None:
    """成品网站里的：make book 写的，没有 PyTorch。"""
    data = SITE / '_static' / 'living' / 'data'
    listed = value_of(data / 'weights.js')
    assert tuple(listed) == shipped() and 'densenet' in listed
    for name, entry in listed.items():
        parts = [
            base64.b64decode(value_of(data / f'weights-{name}-{i}.js'), validate=True)
            for i in range(entry['parts'])
        ]
        content = read_weights(name)
        assert b''.join(parts) == content and entry['bytes'] == len(content)
        assert all(len(part) == PART for part in parts[:-1])
        assert entry['accuracy'] == weight_facts(name).accuracy_after


def test_weights_that_are_gone_leave_nothing_behind(tmp_path: Path) -> None:
    data = tmp_path / 'data'
    data.mkdir()
    (data / 'weights-nin-0.js').touch()
    (data / 'samples.js').touch()
    write_weight_scripts(data, tmp_path)
    assert {path.name for path in data.iterdir()} == {'samples.js', 'weights.js'}
    assert value_of(data / 'weights.js') == {}
