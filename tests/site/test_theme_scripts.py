"""改动主题的脚本：先量完，再写。"""

import pytest
from book_theme.scrollable_boxes import SCRIPT, measured_first
from built_site import SITE, built_file

ONE_BY_ONE = (
    'document.querySelectorAll(["pre",".output"].join(", "))'
    '.forEach(e=>{e.tabIndex=e.scrollWidth>e.clientWidth?0:-1})'
)


def test_boxes_are_measured_before_one_is_changed() -> None:
    assert measured_first(f'a();{ONE_BY_ONE};b()') == (
        'a();Array.from(document.querySelectorAll(["pre",".output"].join(", ")),'
        'e=>[e,e.scrollWidth>e.clientWidth]).forEach(([e,t])=>{e.tabIndex=t?0:-1});b()'
    )


def test_a_changed_script_stays_and_another_theme_is_told() -> None:
    once = measured_first(ONE_BY_ONE)
    assert measured_first(once) == once
    with pytest.raises(ValueError, match='请更新对它的改动'):
        measured_first('e.tabIndex = 0')


def test_the_book_carries_the_changed_script() -> None:
    built_file('index.html')
    script = (SITE / SCRIPT).read_text('utf-8')
    assert measured_first(script) == script
