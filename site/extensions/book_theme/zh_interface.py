"""全书界面文字的一览：补齐主题和扩展里没有译成简体中文的文字。

主题自带的中文翻译有遗漏，也夹着繁体。第一张表放在所有翻译目录之前：
表里有的用表里的，表里没有的照旧交给主题和 Sphinx。第二张表是写死在主题模板里、
不经过翻译的文字，载入模板时直接替换。
"""

from gettext import NullTranslations

from sphinx import locale
from sphinx.application import Sphinx

from .template_edits import edit_templates

SIMPLIFIED_CHINESE = {
    'Color mode': '明暗配色',
    'Dark': '深色',
    'Light': '浅色',
    'System Settings': '跟随系统',
    'Main': '主导航',
    'Page': '本页目录',
    'Breadcrumb': '当前位置',
    'Launch interactive content': '在线运行',
    'Launch on': '运行于',
    'logo': '的标志',
    'Repository': '仓库',
    'Source repository': '源码仓库',
    'Source repositories': '源码仓库',
    'Suggest edit': '修改此页',
    'Open issue': '报告问题',
    'Open an issue': '报告问题',
    'Link to this heading': '此标题的链接',
    'Link to this image': '此图的链接',
    'Link to this table': '此表的链接',
    'Link to this equation': '此公式的链接',
    'Link to this code': '此代码的链接',
    'Link to this term': '此术语的链接',
    'Print to PDF': '打印成 PDF',
    'Download source file': '下载源文件',
    'Fullscreen mode': '全屏',
    'Skip to main content': '跳到正文',
    'Back to top': '回到页首',
    'previous page': '上一页',
    'next page': '下一页',
    'previous': '上一页',
    'next': '下一页',
    'Search': '搜索',
    'Home': '首页',
    '© Copyright %(copyright)s.': '© %(copyright)s 本书作者。',
}

# 写死在模板里的属性：主题没有把它们交给翻译。
HARD_CODED = {
    'aria-label="Main"': 'aria-label="主导航"',
    'aria-label="Page"': 'aria-label="本页目录"',
    'title="Toggle primary sidebar"': 'title="显示或收起目录"',
    'title="Toggle secondary sidebar"': 'title="显示或收起本页目录"',
}

# 主题的文字分在两个翻译目录里：pydata-sphinx-theme 用 sphinx，book theme 用 booktheme。
CATALOGS = ('sphinx', 'booktheme')


class InterfaceStrings(NullTranslations):
    """先查上表，查不到再问原有的翻译目录。"""

    def gettext(self, message: str) -> str:
        return SIMPLIFIED_CHINESE.get(message) or super().gettext(message)


def setup(app: Sphinx) -> None:
    for catalog in CATALOGS:
        strings = InterfaceStrings()
        strings.add_fallback(locale.get_translator(catalog))
        locale.translators['general', catalog] = strings
    # 页面模板用的是 Sphinx 启动时取好的那一份，也要换掉。
    app.translator = locale.translators['general', 'sphinx']
    edit_templates(app, HARD_CODED)
