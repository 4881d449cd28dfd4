"""幻灯片：每章一套，每页放得下，不取站外的东西，键盘、手机、打印都能用。"""

import base64
import re
from pathlib import Path

import nbformat
import pypdfium2
import pytest
from book_slides.deck_text import Writer, blocks, opening, sentences, slides, wanted
from built_site import SITE, built_file
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait
from transfer_size import transfer_size

ROOT = Path(__file__).resolve().parents[2]
DECKS = SITE / 'slides'
CHAPTERS = (
    'introduction', 'toolbox', 'alexnet', 'vgg', 'nin', 'googlenet', 'resnet', 'densenet',
)  # fmt: skip
FEWEST, MOST = 15, 27  # 一套有几页
UNSEEN = {'heading', 'note', 'skipped'}
DECK_BUDGET = 700_000  # 一套连同它的图，压缩之后的字节
FOLDER_BUDGET = 6_000_000  # 整个文件夹，没有压缩


def page(chapter: str) -> str:
    return built_file(DECKS / f'{chapter}.html').read_text(encoding='utf-8')


def marked(chapter: str) -> list[nbformat.NotebookNode]:
    notebook = nbformat.read(ROOT / 'chapters' / f'{chapter}.ipynb', as_version=4)
    return [cell for cell in notebook.cells if 'slideshow' in cell.metadata]


# ---- 文字怎样取 ----


@pytest.mark.parametrize(
    ('text', 'found'),
    [
        ('甲。乙！', ['甲。', '乙！']),
        ('甲（一。二）乙。丙', ['甲（一。二）乙。', '丙']),
        ('取 `a。b`，$x。$。好', ['取 `a。b`，$x。$。', '好']),
        ('**甲。**乙。', ['**甲。', '**乙。']),
        ('**只有一句。**', ['**只有一句。**']),
    ],
)
def test_sentences(text: str, found: list[str]) -> None:
    assert sentences(text) == found


def test_a_bold_word_is_not_a_sentence() -> None:
    assert opening('**更快**。因为路短。还有别的。') == '**更快**。因为路短。'


CELL = """<a id="sec-a"></a>
## 题目

第一句。第二句。

> **勘误**
>
> 不讲。

- 甲。细说。
- 乙。

<!-- 活页：predict key=k choices="一|二|三" answer=2 -->
<details>
<summary>先预测：几个？</summary>

是二。因为。

</details>"""


def test_a_cell_becomes_slides() -> None:
    assert [block.kind for block in blocks(CELL)] == [
        'heading', 'paragraph', 'note', 'list', 'question',
    ]  # fmt: skip
    first, question = slides(Writer(), CELL, None)
    assert (first.title, first.anchor) == ('题目', 'sec-a')
    shown = ''.join(first.said)
    assert '第一句。' in shown and '第二句' not in shown and '不讲' not in shown
    assert '细说' not in shown and '细说' in ''.join(first.notes)
    assert question.fresh and not question.title and '是二。' in question.answer
    assert '<li>二</li>' in question.said[0]


def test_chosen_sentences() -> None:
    writer = Writer()
    (slide,) = slides(
        writer, '第一句。第二句。\n\n- 甲。细说。\n- 乙。', ['第二', '乙']
    )
    assert [re.sub(r'<[^>]+>|\s', '', one) for one in slide.said] == [
        '第二句。',
        '乙。',
    ]
    assert '第一句。第二句。' in slide.notes[0]


@pytest.mark.parametrize('chapter', CHAPTERS)
def test_chosen_blocks_and_sentences_are_there(chapter: str) -> None:
    """改了文字，指定的块或句也许已经没有了；开头几个字相同的不止一处，就说不准是哪一句。"""
    writer = Writer()
    for cell in marked(chapter):
        keep = cell.metadata.slideshow.get('keep')
        if keep:
            found = slides(writer, cell.source, keep)
            assert any(one.said for one in found), cell.id
            texts = [b for b in blocks(cell.source) if b.kind not in UNSEEN]
            for one in keep:
                picked = [wanted([one], block) for block in texts]
                assert sum(len(p or '1') for p in picked if p is not None) == 1, (
                    cell.id,
                    one,
                )


# ---- 成品 ----


@pytest.mark.parametrize('chapter', CHAPTERS)
def test_deck(chapter: str) -> None:
    html = page(chapter)
    assert FEWEST <= html.count('<section>') <= MOST
    assert html.count('<h1>') == 1 and html.count('<figure') >= 5
    assert not re.search(r'\\[(\[]|\$\$', html), '有公式没有排好：请运行 make formulas'
    assert not re.search(r'(?:src|href)="(?:https?:)?//', html)
    pictures = set(re.findall(r'src="(img/[^"]+)"', html))
    files = [
        DECKS / name for name in (f'{chapter}.html', 'deck.css', 'reveal/reveal.js')
    ]
    total = sum(
        transfer_size(path) for path in [*files, *(DECKS / p for p in pictures)]
    )
    assert total <= DECK_BUDGET, total


def test_folder_is_small_and_carries_its_licence() -> None:
    files = [path for path in DECKS.rglob('*') if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= FOLDER_BUDGET
    assert 'Permission is hereby granted' in (DECKS / 'reveal' / 'LICENSE').read_text()


def test_chapters_lead_to_their_slides() -> None:
    for chapter in CHAPTERS:
        html = (DECKS.parent / 'chapters' / f'{chapter}.html').read_text(
            encoding='utf-8'
        )
        assert f'<a class="slides-link" href="../slides/{chapter}.html">' in html
    summary = (DECKS.parent / 'chapters' / 'summary.html').read_text(encoding='utf-8')
    assert 'slides-link' not in summary


# ---- 在浏览器里 ----

MEASURE = """
return Reveal.getSlides().map((slide, number) => {
  Reveal.slide(number)
  slide.querySelectorAll('.fragment').forEach((one) => one.classList.add('visible'))
  const boxes = [...slide.querySelectorAll('h1, h2, p, li, pre, table, figure, img')]
    .filter((one) => !one.closest('aside, mjx-container, .source'))
    .map((one) => one.getBoundingClientRect()).filter((box) => box.width)
  return {
    title: slide.querySelector('h1, h2').textContent,
    bottom: Math.max(...boxes.map((box) => box.bottom)),
    right: Math.max(...boxes.map((box) => box.right)),
    left: Math.min(...boxes.map((box) => box.left)),
    pictures: [...slide.querySelectorAll('img')].map((one) => one.getBoundingClientRect().height),
    loaded: [...slide.querySelectorAll('img')].every((one) => one.complete && one.naturalWidth),
  }
})"""


def show(browser: WebDriver, chapter: str, width: int, height: int) -> None:
    size = {
        'width': width,
        'height': height,
        'deviceScaleFactor': 1,
        'mobile': width < 500,
    }
    browser.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', size)
    browser.get((DECKS / f'{chapter}.html').as_uri())


@pytest.fixture
def wide(chromium: WebDriver) -> WebDriver:
    yield chromium
    chromium.execute_cdp_cmd('Emulation.clearDeviceMetricsOverride', {})


def test_nothing_is_cut_off(wide: WebDriver) -> None:
    wide.get('about:blank')
    for log in ('performance', 'browser'):  # 别的测试留下的
        wide.get_log(log)
    for chapter in CHAPTERS:
        page(chapter)
        show(wide, chapter, 1280, 720)
        WebDriverWait(wide, 10).until(
            lambda b: b.execute_script('return window.Reveal && Reveal.isReady()')
        )
        for slide in wide.execute_script(MEASURE):
            assert slide['left'] >= 0 and slide['right'] <= 1280, (chapter, slide)
            assert slide['bottom'] <= 720, (chapter, slide)
            assert slide['loaded'] and all(h > 150 for h in slide['pictures']), slide
    seen = wide.get_log('performance')
    assert not [line for line in seen if '"url":"http' in line['message']]
    assert not [line for line in wide.get_log('browser') if line['level'] == 'SEVERE']


def test_keyboard_turns_pages_shows_answers_and_notes(wide: WebDriver) -> None:
    show(wide, 'alexnet', 1280, 720)
    body = wide.find_element(By.TAG_NAME, 'body')
    body.send_keys(Keys.ARROW_RIGHT)
    assert wide.execute_script('return Reveal.getIndices().h') == 1
    body.send_keys('s')
    notes = wide.find_element(By.CSS_SELECTOR, 'section.present .notes')
    assert notes.is_displayed()
    body.send_keys('s')
    assert not notes.is_displayed()
    asked = "return Reveal.getSlides().findIndex((s) => s.querySelector('.ask'))"
    wide.execute_script('Reveal.slide(arguments[0])', wide.execute_script(asked))
    answer = wide.find_element(By.CSS_SELECTOR, 'section.present .answer')
    assert not answer.is_displayed()
    body.send_keys(Keys.SPACE)
    WebDriverWait(wide, 5).until(lambda _: answer.is_displayed())


def test_no_key_brings_english(wide: WebDriver) -> None:
    """reveal.js 的一览、跳页是英文的，不出来；黑屏与翻页的按钮说中文。"""
    show(wide, 'alexnet', 1280, 720)
    wide.find_element(By.TAG_NAME, 'body').send_keys('?', 'g', 'b')
    overlays = '.r-overlay, .overlay, .jump-to-slide-input'
    assert not wide.find_elements(By.CSS_SELECTOR, overlays)
    resume = wide.find_element(By.CLASS_NAME, 'resume-button')
    WebDriverWait(wide, 5).until(lambda _: resume.is_displayed())
    buttons = [resume, *wide.find_elements(By.CSS_SELECTOR, '.controls button')]
    assert len(buttons) >= 5
    assert not [one.accessible_name for one in buttons if re.search('[a-z]', one.accessible_name)]
    resume.click()
    WebDriverWait(wide, 5).until(lambda _: not resume.is_displayed())


def test_a_narrowed_window_is_an_ordinary_page(wide: WebDriver) -> None:
    """窗口变窄，放映收起来，在同一张；再变宽，又放映。"""
    show(wide, 'nin', 1280, 720)
    wide.find_element(By.TAG_NAME, 'body').send_keys(Keys.ARROW_RIGHT)
    noted = 'return location.hash === "#/1"'  # reveal.js 过一会儿才写网址
    WebDriverWait(wide, 10).until(lambda b: b.execute_script(noted))
    started = 'return document.documentElement.matches(".showing")'
    for width, showing in ((600, False), (1280, True)):
        size = {'width': width, 'height': 720, 'deviceScaleFactor': 1, 'mobile': False}
        wide.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', size)
        WebDriverWait(wide, 10).until(lambda b, s=showing: b.execute_script(started) is s)
    WebDriverWait(wide, 10).until(
        lambda b: b.execute_script('return window.Reveal?.getIndices()?.h') == 1
    )


def test_phone_and_paper(wide: WebDriver) -> None:
    show(wide, 'nin', 375, 800)
    look = wide.execute_script("""
      const widths = [...document.images].map((one) => one.getBoundingClientRect().right)
      const size = (one) => parseFloat(getComputedStyle(one).fontSize)
      return { wide: document.documentElement.scrollWidth, pictures: Math.max(...widths),
        text: Math.min(...[...document.querySelectorAll('.said > p, .said li')].map(size)),
        answers: [...document.querySelectorAll('.answer')].every((one) => one.offsetHeight) }""")
    assert look['wide'] <= 377 and look['pictures'] <= 375 and look['answers']
    assert look['text'] >= 13.5
    show(wide, 'nin', 1280, 720)
    settings = {'preferCSSPageSize': True}
    printed = wide.execute_cdp_cmd('Page.printToPDF', settings)['data']
    document = pypdfium2.PdfDocument(base64.b64decode(printed))
    count = page('nin').count('<section>')
    assert len(document) == count
    assert [round(side) for side in document[0].get_size()] == [960, 540]
    document.close()
