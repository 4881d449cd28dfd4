"""让 Sphinx 自带的搜索认得中文。

Sphinx 建索引时要靠分词库切分中文，没有分词库就一个中文词也不收；有了分词库，
浏览器里的查询又不会按同样的办法切分，「学习率」这样的词照样搜不到。
这里两边都用同一条规则：连续的汉字拆成单字和相邻两字（bigram），
西文和数字保持整词。于是任何长度的中文词都能命中，也不需要分词库。
"""

import re

from sphinx.application import Sphinx
from sphinx.search.zh import SearchChinese

# 与下面 JavaScript 里的字符范围一致：CJK 扩展 A 与基本区。
HAN = '\u3400-\u9fff'
TOKEN = re.compile(f'[{HAN}]+|[A-Za-z0-9_]+')

SPLIT_QUERY = r"""
function splitQuery(query) {
  const terms = [];
  const tokens = query.match(/[\u3400-\u9fff]+|[A-Za-z0-9_]+/gu) || [];
  tokens.forEach((token) => {
    if (!/[\u3400-\u9fff]/.test(token) || token.length === 1) {
      terms.push(token);
      return;
    }
    for (let i = 0; i + 1 < token.length; i++) terms.push(token.slice(i, i + 2));
  });
  return terms;
}
"""


def is_han(text: str) -> bool:
    """判断一个词是否以汉字开头。"""
    return '\u3400' <= text[:1] <= '\u9fff'


class BigramChinese(SearchChinese):
    """按单字和相邻两字建立索引的中文搜索语言。"""

    lang = 'zh'
    js_splitter_code = SPLIT_QUERY

    def init(self, options: dict[str, str]) -> None:
        """只准备英文词干提取；不载入分词词典。"""
        super().init({})

    def split(self, input: str) -> list[str]:
        """返回 ``input`` 里要收进索引的词。"""
        terms: list[str] = []
        for token in TOKEN.findall(input):
            if is_han(token):
                terms += token
                terms += [token[i : i + 2] for i in range(len(token) - 1)]
            else:
                terms.append(token)
        return terms

    def word_filter(self, word: str) -> bool:
        """单个汉字也收；单个字母或数字不收。"""
        return len(word) > 1 or is_han(word)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_search_language(BigramChinese)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
