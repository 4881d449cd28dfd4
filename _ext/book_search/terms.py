"""读入术语表 terms.yml：每个术语由哪一节讲解。"""

from pathlib import Path

import yaml

TERMS = Path(__file__).resolve().parent / 'terms.yml'

# {节的标签: [一个术语的各个名字, …]}
Terms = dict[str, list[list[str]]]


def read_terms(path: Path = TERMS) -> Terms:
    """返回每个标签讲解的术语；一节可以讲解几个术语。"""
    terms: Terms = {}
    for entry in yaml.safe_load(path.read_text(encoding='utf-8')):
        names = [str(name) for name in entry['names']]
        terms.setdefault(entry['section'], []).append(names)
    return terms
