"""搜索用到的术语：每一节讲解哪些术语，由全书的术语表得来。"""

from glossary_terms import all_terms

# {节的标签: [一个术语的各个名字, …]}
Terms = dict[str, list[list[str]]]


def read_terms() -> Terms:
    """返回每个标签讲解的术语；一节可以讲解几个术语。"""
    terms: Terms = {}
    for term in all_terms():
        terms.setdefault(term.section, []).append(term.names)
    return terms
