"""课堂用书：教案的分钟加得起来，八周与首页一致，自测题与幻灯片都在。"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / 'chapters' / 'teaching.md').read_text(encoding='utf-8')
PLANS = {
    section.split('\n', 1)[0]: section
    for section in re.split(r'\n## ', TEXT)
    if '| 45 分钟 |' in section
}


def test_every_network_has_a_plan() -> None:
    networks = ['AlexNet', 'VGG', 'NiN', 'GoogLeNet', 'ResNet', 'DenseNet']
    assert list(PLANS) == ['引言与工具箱', *networks, '小结与尾声']


@pytest.mark.parametrize('unit', PLANS)
def test_minutes_add_up(unit: str) -> None:
    rows = re.findall(r'\| (\d+|–) \| (\d+) \|$', PLANS[unit], re.M)
    short, long = (
        sum(int(m) for m in column if m != '–') for column in zip(*rows, strict=True)
    )
    assert (short, long) == (45, 90)
    assert '- **问**：' in PLANS[unit] and '- **作业**：' in PLANS[unit]
    assert '| 自测：' in PLANS[unit]


def weeks(text: str) -> list[str]:
    """一张表里八周的最后一列；链接只留锚点。"""
    rows = re.findall(r'^\| ([1-8]) \| .* \| (.*) \|$', text, re.M)
    assert [number for number, _ in rows] == list('12345678')
    return [re.sub(r'\]\([\w./]*#', '](#', homework) for _, homework in rows]


def test_eight_weeks_are_those_of_the_landing_page() -> None:
    course = TEXT.split('<a id="sec-teaching-course"></a>')[1].split('\n## 与')[0]
    landing = (ROOT / 'index.md').read_text(encoding='utf-8')
    path = landing.split('**八周的课**')[1].split('**只查一样东西**')[0]
    assert weeks(course) == weeks(path)
