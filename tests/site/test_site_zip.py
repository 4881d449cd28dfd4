"""dist/site.zip：内容确定，解压后从磁盘打开就能读。"""

import zipfile
from pathlib import Path

import pytest
from built_site import SITE, built_file
from pack_zip import FOLDER, pack
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.support.ui import WebDriverWait

BROKEN_IMAGES = """
return [...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.src)
"""
FORMULAS = """
return [...document.querySelectorAll('.math mjx-container > svg')]
  .map(svg => svg.getBoundingClientRect())
  .filter(box => box.width > 2 && box.height > 2).length
"""


@pytest.fixture
def small_site(tmp_path: Path) -> Path:
    site = tmp_path / 'html'
    for name in (
        'index.html',
        'b/page.html',
        '.buildinfo',
        '.doctrees/x',
        'objects.inv',
        '404.html',
    ):
        path = site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding='utf-8')
    return site


def test_same_site_gives_the_same_bytes(small_site: Path, tmp_path: Path) -> None:
    first, second = tmp_path / 'a.zip', tmp_path / 'b.zip'
    pack(small_site, first)
    for path in small_site.rglob('*'):
        path.touch()
    pack(small_site, second)
    assert first.read_bytes() == second.read_bytes()


def test_only_what_a_reader_needs(small_site: Path, tmp_path: Path) -> None:
    count = pack(small_site, tmp_path / 'a.zip')
    names = zipfile.ZipFile(tmp_path / 'a.zip').namelist()
    assert names == [f'{FOLDER}/b/page.html', f'{FOLDER}/index.html']
    assert count == 2
    assert not list(tmp_path.glob('*.part'))


@pytest.fixture(scope='module')
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built_file()
    # 读者的文件夹常带空格和汉字。
    folder = tmp_path_factory.mktemp('我的 书')
    pack(SITE, folder / 'site.zip')
    with zipfile.ZipFile(folder / 'site.zip') as archive:
        archive.extractall(folder)
    return folder / FOLDER


def test_notebooks_are_included(unpacked: Path) -> None:
    assert list(unpacked.glob('_sources/chapters/*.ipynb'))


@pytest.mark.parametrize('name', ['index.html', 'chapters/resnet.html', 'search.html'])
def test_opens_from_disk(chromium: WebDriver, unpacked: Path, name: str) -> None:
    chromium.get_log('browser')
    chromium.get_log('performance')
    chromium.get((unpacked / name).as_uri())
    # 第一屏之外的图，页面到齐之后才取
    WebDriverWait(chromium, 20).until(lambda _: not chromium.execute_script(BROKEN_IMAGES))
    if name == 'chapters/resnet.html':
        assert chromium.execute_script(FORMULAS) > 50
    loads = [entry['message'] for entry in chromium.get_log('performance')]
    assert not [text for text in loads if '"Network.requestWillBeSent"' in text
                and '"url":"http' in text]  # fmt: skip
    assert serious(chromium.get_log('browser')) == []


def serious(log: list[dict[str, str]]) -> list[str]:
    """控制台里的错误。"""
    return [entry['message'] for entry in log if entry['level'] == 'SEVERE']
