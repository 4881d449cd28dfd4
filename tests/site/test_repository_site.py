"""网站上与仓库有关的按钮：没有公开的仓库就没有；有了以后，链接正确、文字是中文。"""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest
import repository
import yaml
from book_pages import repository_buttons
from book_source import chapter_files
from built_site import SITE, built_file

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted(
    path.relative_to(ROOT / 'chapters').with_suffix('').as_posix()
    for path in chapter_files()
)

GITHUB = 'https://github.com/someone/deep-cnn'
GITEE = 'https://gitee.com/someone/deep-cnn'
LAUNCHERS = ('https://mybinder.org/', 'https://colab.research.google.com/')
# 不是本书的仓库，但主题或 Jupyter Book 会默认写进页面的。
DEFAULTS = ('executablebooks', 'github.com/jupyter')
HAN = re.compile('[\u4e00-\u9fff]')
BUILD = 'from jupyter_book.cli.main import main; main()'


@dataclass
class Link:
    href: str
    title: str
    images: list[str]  # 其中图片的替代文字


class LinkReader(HTMLParser):
    """收集 HTML 里的 <a>。"""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[Link] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == 'a':
            href, title = values.get('href') or '', values.get('title') or ''
            self.links.append(Link(href, title, []))
        if tag == 'img' and self.links:
            self.links[-1].images.append(values.get('alt') or '')


def links_of(page: Path) -> list[Link]:
    reader = LinkReader()
    reader.feed(page.read_text(encoding='utf-8'))
    return reader.links


def built_pages() -> list[Path]:
    built_file()
    return [path for path in SITE.rglob('*.html') if '_static' not in path.parts]


@pytest.mark.parametrize('chapter', CHAPTERS)
def test_every_chapter_offers_its_notebook(chapter: str) -> None:
    built_pages()
    page = SITE / 'chapters' / f'{chapter}.html'
    wanted = f'{"../" * (chapter.count("/") + 1)}_sources/chapters/{chapter}.ipynb'
    (link,) = [link for link in links_of(page) if link.href == wanted]
    assert HAN.search(link.title)
    assert (page.parent / wanted).is_file()


def test_pages_lead_to_the_public_repository_or_to_none() -> None:
    config = yaml.safe_load((ROOT / '_config.yml').read_text(encoding='utf-8'))
    url = config['repository']['url']
    for page in built_pages():
        hrefs = [link.href for link in links_of(page)]
        assert not [x for x in hrefs if any(name in x for name in DEFAULTS)], page
        launched = [x for x in hrefs if x.startswith(LAUNCHERS)]
        edited = [x for x in hrefs if '/edit/main/' in x or '/issues/new' in x]
        if not url:
            assert not launched + edited, page
        assert all(x.startswith(url) for x in edited), page


@pytest.fixture(scope='module')
def public_book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """设了 GitHub 网址、只有首页和一章的书，返回它的网站。"""
    book = tmp_path_factory.mktemp('公开的书') / 'book'
    skipped = shutil.ignore_patterns('.*', '_build', 'build', '__pycache__', 'tests')
    shutil.copytree(ROOT, book, ignore=skipped, symlinks=True)
    assert repository.main([GITHUB], book) == 0
    contents = yaml.safe_load((book / '_toc.yml').read_text(encoding='utf-8'))
    contents['parts'] = [{'caption': '网络', 'chapters': [{'file': 'chapters/nin'}]}]
    (book / '_toc.yml').write_text(yaml.safe_dump(contents), encoding='utf-8')
    done = subprocess.run(
        [sys.executable, '-c', BUILD, 'build', '-q', '.'],
        cwd=book,
        encoding='utf-8',
        capture_output=True,
    )
    site = book / '_build' / 'html'
    assert (site / 'index.html').exists(), done.stdout + done.stderr
    return site


def test_public_book_has_buttons_for_its_repository(public_book: Path) -> None:
    links = links_of(public_book / 'chapters' / 'nin.html')
    ours = [link for link in links if 'someone/deep-cnn' in link.href]
    start = f'{GITHUB}/issues/new?title='
    assert {re.sub('title=.*', 'title=', link.href) for link in ours} == {
        GITHUB,
        f'{GITHUB}/edit/main/chapters/nin.ipynb',
        start,
        'https://colab.research.google.com/github/someone/deep-cnn'
        '/blob/main/chapters/nin.ipynb',
        'https://mybinder.org/v2/gh/someone/deep-cnn/main'
        '?urlpath=lab/tree/chapters/nin.ipynb',
    }
    for link in ours:
        assert HAN.search(link.title), link
        assert all(HAN.search(alt) for alt in link.images), link
        assert 'span' not in link.href, '标题里夹着 HTML'


def test_public_book_states_its_address(public_book: Path) -> None:
    page = (public_book / 'chapters' / 'nin.html').read_text(encoding='utf-8')
    address = 'https://someone.github.io/deep-cnn/chapters/nin.html'
    assert f'<meta property="og:url" content="{address}">' in page
    assert f'<link rel="canonical" href="{address}"' in page
    missing = (public_book / '404.html').read_text(encoding='utf-8')
    assert '<a href="https://someone.github.io/deep-cnn/index.html">' in missing
    cover = '_static/cover.png'
    image = f'https://someone.github.io/deep-cnn/{cover}'
    assert f'<meta property="og:image" content="{image}">' in page
    assert (public_book / cover).is_file()


def test_public_book_launches_only_notebooks(public_book: Path) -> None:
    links = links_of(public_book / 'index.html')
    assert not [link for link in links if link.href.startswith(LAUNCHERS)]
    assert f'{GITHUB}/edit/main/index.md' in {link.href for link in links}


@pytest.mark.parametrize(
    ('url', 'launches', 'links'),
    [('', False, False), (GITHUB, True, True), (GITEE, False, True)],
    ids=['none', 'github', 'gitee'],
)
def test_buttons_follow_the_address(url: str, launches: bool, links: bool) -> None:
    options = {'repository_url': url}
    config = SimpleNamespace(html_theme_options=options)
    repository_buttons.choose_buttons(None, config)
    assert bool(options.get('launch_buttons')) == launches
    assert all(options[name] == links for name in repository_buttons.SOURCE_BUTTONS)
